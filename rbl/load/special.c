/* Directives: lines that begin with '$', "#$", ";$" or ":$". */
#include <stdio.h>

#include "rbl/load/impl.h"
#include "resolver/base/clock.h"

/* Each reads one thing at *s and moves behind it and the blanks that follow. */
static bool number(const char **text, uint32_t *to) {
    const char *s = *text;
    uint64_t n = 0;
    if (!load_digit(*s))
        return false;
    while (load_digit(*s)) {
        n = n * 10 + (uint64_t)(*s++ - '0');
        if (n > UINT32_MAX)
            return false;
    }
    *to = (uint32_t)n;
    *text = s;
    return true;
}

static bool word_ends(const char **s) {
    if (**s != '\0' && !load_space(**s))
        return false;
    *s = load_skip(*s);
    return true;
}

static bool number_word(const char **s, uint32_t *to) { return number(s, to) && word_ends(s); }

static uint32_t unit(char c) {
    switch (c | 0x20) {
    case 'w':
        return 7 * 86400;
    case 'd':
        return 86400;
    case 'h':
        return 3600;
    case 'm':
        return 60;
    case 's':
        return 1;
    default:
        return 0;
    }
}

static bool duration(const char **s, uint32_t *to) {
    if (!number(s, to))
        return false;
    uint32_t u = unit(**s);
    if (u != 0) {
        if (*to > UINT32_MAX / u)
            return false;
        *to *= u;
        (*s)++;
    }
    return **s == ':' || word_ends(s);
}

bool load_ttl(struct load *l, const char **s, uint32_t *to) {
    const struct data *d = l->d;
    if (!duration(s, to))
        return false;
    if (*to != 0 && *to < d->ttl_min)
        *to = d->ttl_min;
    if (d->ttl_max != 0 && *to > d->ttl_max)
        *to = d->ttl_max;
    return true;
}

/* 0 stands for the TTL that holds where it is written. */
static bool ttl(struct load *l, const char **s, uint32_t *to, uint32_t preset) {
    if (!load_ttl(l, s, to))
        return false;
    if (*to == 0)
        *to = preset;
    return true;
}

/* Where $TTL belongs: in front of the first part it is everybody's. */
static uint32_t *ttl_here(struct load *l) { return l->type != NULL ? &l->d->dataset[l->dataset].ttl : &l->common.ttl; }

uint32_t load_preset_ttl(const struct load *l) {
    uint32_t own = l->d->dataset[l->dataset].ttl;
    return own != 0 ? own : l->d->ttl;
}

/* $SOA and $NS of a combined dataset are the zone's wherever they stand. */
static uint32_t apex_ttl(const struct load *l) {
    if (!l->combined)
        return load_preset_ttl(l);
    return l->common.ttl != 0 ? l->common.ttl : l->d->ttl;
}

static bool special_soa(struct load *l, const char *s) {
    struct dns_soa soa;
    uint32_t soa_ttl;
    if (l->d->has_soa)
        return true;
    if (!ttl(l, &s, &soa_ttl, apex_ttl(l)) || !load_name_word(&soa.primary, &s) || !load_name_word(&soa.contact, &s) ||
        !number_word(&s, &soa.serial) || !duration(&s, &soa.refresh) || !duration(&s, &soa.retry) ||
        !duration(&s, &soa.expire) || !duration(&s, &soa.minimum) || *s != '\0')
        return false;
    l->d->soa = soa;
    l->d->soa_ttl = soa_ttl;
    l->d->soa_by_time = soa.serial == 0;
    l->d->has_soa = true;
    return true;
}

static void add_ns(struct load *l, const struct name *n) {
    struct data *d = l->d;
    for (unsigned i = 0; i < d->ns_count; i++)
        if (name_equal(&d->ns[i], n))
            return;
    if (d->ns_count < ARRAY_SIZE(d->ns))
        d->ns[d->ns_count++] = *n;
    else
        load_note(l, "too many name servers", "$NS");
}

/* The first line with a name server counts; "-name" is one that is switched off. */
static bool special_ns(struct load *l, const char *s) {
    uint32_t ns_ttl;
    struct name n;
    bool first = l->d->ns_count == 0;
    if (!first)
        return true;
    if (!ttl(l, &s, &ns_ttl, apex_ttl(l)))
        return false;
    do {
        if (*s == '-') {
            while (*s != '\0' && !load_space(*s))
                s++;
            s = load_skip(s);
            continue;
        }
        if (!load_name_word(&n, &s))
            return false;
        add_ns(l, &n);
    } while (*s != '\0');
    l->d->ns_ttl = ns_ttl;
    return true;
}

static bool special_ttl(struct load *l, const char *s) {
    uint32_t t;
    if (!ttl(l, &s, &t, l->d->ttl) || *s != '\0')
        return false;
    *ttl_here(l) = t;
    return true;
}

/* "/24" or a number of addresses; it may only shrink. */
static bool special_maxrange(struct load *l, const char *s) {
    uint32_t n;
    bool bits = *s == '/';
    if (bits)
        s++;
    if (!number_word(&s, &n) || *s != '\0' || n == 0 || (bits && n > 32))
        return false;
    if (bits)
        n = 1u << (32 - n);
    if (l->maxrange == 0 || n <= l->maxrange)
        l->maxrange = n;
    return true;
}

/* 1 to `width` digits between min and max, and a ':' or '-' behind them. */
static bool stamp_part(const char **text, unsigned width, unsigned min, unsigned max, unsigned *to) {
    const char *s = *text;
    unsigned n = 0, digits = 0;
    while (load_digit(*s) && digits < width) {
        n = n * 10 + (unsigned)(*s++ - '0');
        digits++;
    }
    if (digits == 0 || n < min || n > max)
        return false;
    if (*s == ':' || *s == '-')
        s++;
    *to = n;
    *text = s;
    return true;
}

static bool more(const char *s) { return *s != '\0' && !load_space(*s); }

static int64_t days_since_1970(unsigned year, unsigned month, unsigned day) {
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned y = year - 1;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return 365 * ((int64_t)year - 1970) + (y / 4 - 492) - (y / 100 - 19) + (y / 400 - 4) + before[month - 1] +
           (leap && month > 2) + day - 1;
}

/* yyyy:mm:dd[:hh[:mi[:ss]]] in UTC, delimiters optional; "0" or "-": 0. */
static bool stamp(const char **text, int64_t *to) {
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *s = *text;
    unsigned year, month, day, hour = 0, minute = 0, second = 0;
    *to = 0;
    if ((*s == '0' || *s == '-' || *s == ':') && !more(s + 1)) {
        *text = load_skip(s + 1);
        return true;
    }
    if (!stamp_part(&s, 4, 1970, 2038, &year) || !stamp_part(&s, 2, 1, 12, &month))
        return false;
    bool leap_day = month == 2 && year % 4 == 0; /* 1970..2038 has no exception */
    if (!stamp_part(&s, 2, 1, month_days[month - 1] + leap_day, &day))
        return false;
    if ((more(s) && !stamp_part(&s, 2, 0, 23, &hour)) || (more(s) && !stamp_part(&s, 2, 0, 59, &minute)) ||
        (more(s) && !stamp_part(&s, 2, 0, 59, &second)) || more(s))
        return false;
    *to = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    *text = load_skip(s);
    return true;
}

static bool stamp_pair(const char *s, int64_t *made, int64_t *expires) {
    uint32_t later;
    *expires = 0;
    if (!stamp(&s, made))
        return false;
    if (*s == '\0')
        return true;
    if (*s != '+')
        return stamp(&s, expires) && *s == '\0';
    s++;
    if (!duration(&s, &later) || *s != '\0' || *made == 0 || later == 0)
        return false;
    *expires = *made + later;
    return true;
}

static bool is_acl(const struct load *l) { return l->type != NULL && l->type->type == DATASET_ACL; }

static int special_timestamp(struct load *l, const char *s, bool *good) {
    int64_t made, expires, now = clock_wall_s();
    *good = stamp_pair(s, &made, &expires);
    if (!*good)
        return 0;
    if (made > now)
        return err_set(l->err, E_REFUSED, "%s:%u: $TIMESTAMP is %lld s in the future", l->file, l->line,
                       (long long)(made - now));
    if (is_acl(l)) /* it does not make the zone expire */
        return 0;
    if (made > l->d->timestamp)
        l->d->timestamp = made;
    if (expires != 0 && (l->d->expires_wall_s == 0 || expires < l->d->expires_wall_s))
        l->d->expires_wall_s = expires;
    return 0;
}

/* $0..$9 and $=; the first one counts. */
static bool special_subst(struct load *l, const char *s) {
    unsigned n = *s == '=' ? LOAD_BASE : (unsigned)(*s - '0');
    if (l->subst[n] != NULL)
        return true;
    s = load_skip(s + 1);
    if (*s == '\0')
        return false;
    l->subst[n] = arena_text(&l->raw.arena, s, strlen(s));
    return l->subst[n] != NULL;
}

static const struct {
    const char *word;
    bool (*read)(struct load *l, const char *s);
} specials[] = {
    {"soa", special_soa},
    {"ns", special_ns},
    {"nameserver", special_ns},
    {"ttl", special_ttl},
    {"maxrange4", special_maxrange},
};
enum { SPECIAL_APEX = 3 }; /* the first ones: they make a zone, which an acl does not */

/* Behind `word` in any case and the blanks that follow; NULL: another word. */
static const char *behind(const char *s, const char *word) {
    for (; *word != '\0'; word++, s++)
        if ((*s | (*s >= 'A' && *s <= 'Z' ? 0x20 : 0)) != *word)
            return NULL;
    return load_space(*s) ? load_skip(s) : NULL;
}

int load_special(struct load *l, const char *s) {
    const char *rest;
    bool good = false;
    int rc = 0;
    if ((load_digit(*s) || *s == '=') && load_space(s[1])) {
        good = special_subst(l, s);
    } else if ((rest = behind(s, "timestamp")) != NULL) {
        rc = special_timestamp(l, rest, &good);
    } else if (l->combined && (rest = behind(s, "dataset")) != NULL) {
        return load_part(l, rest);
    } else {
        for (size_t i = is_acl(l) ? SPECIAL_APEX : 0; i < ARRAY_SIZE(specials) && !good; i++)
            good = (rest = behind(s, specials[i].word)) != NULL && specials[i].read(l, rest);
    }
    if (rc == 0 && !good)
        load_note(l, "unknown or broken directive", s);
    return rc;
}
