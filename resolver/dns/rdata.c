/* The form of RDATA of the types whose names may come compressed (RFC 1035 section 3.3, RFC 3597 section 4). */
#include "resolver/dns/rdata.h"

/* A form is read from left to right: 'n' a name, a digit pair that many octets, 's' a character-string, 'S' as many of
 * them as are left, one at least, 'r' the rest. */
static const struct form {
    uint16_t type;
    const char *steps;
} forms[] = {
    {TYPE_A, "04"},         {TYPE_NS, "n"},          {3 /* MD */, "n"},
    {4 /* MF */, "n"},      {TYPE_CNAME, "n"},       {TYPE_SOA, "nn20"},
    {7 /* MB */, "n"},      {8 /* MG */, "n"},       {9 /* MR */, "n"},
    {TYPE_PTR, "n"},        {14 /* MINFO */, "nn"},  {TYPE_MX, "02n"},
    {17 /* RP */, "nn"},    {18 /* AFSDB */, "02n"}, {21 /* RT */, "02n"},
    {24 /* SIG */, "18nr"}, {26 /* PX */, "02nn"},   {TYPE_AAAA, "16"},
    {30 /* NXT */, "nr"},   {TYPE_SRV, "06n"},       {35 /* NAPTR */, "04sssn"},
    {36 /* KX */, "02n"},   {TYPE_DNAME, "n"},       {TYPE_RRSIG, "18nr"},
    {TYPE_NSEC, "nr"},      {13 /* HINFO */, "ss"},  {TYPE_TXT, "S"},
    {99 /* SPF */, "S"},    {TYPE_DS, "04r"},        {TYPE_DNSKEY, "04r"},
    {TYPE_NSEC3, "04ssr"},  {257 /* CAA */, "01sr"},
};

static const char *form_of(uint16_t type) {
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (forms[i].type == type)
            return forms[i].steps;
    return NULL;
}

static size_t strings_size(struct bytes raw, size_t at, size_t end) {
    size_t size = 0;
    do
        size += at + size < end ? 1 + (size_t)raw.at[at + size] : end - at + 1;
    while (size < end - at);
    return size;
}

/* Octets that one step other than a name takes at `at`; more than are left: the caller refuses. */
static size_t step_size(const char *step, struct bytes raw, size_t at, size_t end) {
    if (*step == 'r')
        return end - at;
    if (*step == 'S')
        return strings_size(raw, at, end);
    if (*step == 's')
        return at < end ? 1 + (size_t)raw.at[at] : end + 1;
    return (size_t)(step[0] - '0') * 10 + (size_t)(step[1] - '0');
}

int rdata_plain(const struct dns_rr *rr, struct bytes raw, uint8_t *to, size_t cap, struct bytes *rdata) {
    const char *step = form_of(rr->type);
    size_t at = rr->rdata, end = rr->rdata + rr->rdata_size, size = 0;
    if (step == NULL) {
        *rdata = (struct bytes){raw.at + at, rr->rdata_size};
        return 0;
    }
    while (*step != '\0') {
        if (*step == 'n') {
            struct name name;
            size_t next;
            if (name_read(&name, raw.at, raw.size, at, &next) != 0 || next > end || name.size > cap - size)
                return E_INVALID;
            memcpy(to + size, name.wire, name.size);
            size += name.size;
            at = next;
            step++;
            continue;
        }
        size_t n = step_size(step, raw, at, end);
        if (n > end - at || n > cap - size)
            return E_INVALID;
        memcpy(to + size, raw.at + at, n);
        size += n;
        at += n;
        step += *step >= '0' && *step <= '9' ? 2 : 1;
    }
    if (at != end)
        return E_INVALID;
    *rdata = (struct bytes){to, size};
    return 0;
}
