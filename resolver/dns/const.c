/* Types and RCODEs as text. Unknown types are TYPE### (RFC 3597). */
#include "resolver/dns/const.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "resolver/base/bytes.h"

struct word {
    uint16_t number;
    const char *text;
};

/* By number: searched by halves. */
static const struct word types[] = {
    {1, "A"},       {2, "NS"},      {3, "MD"},       {4, "MF"},          {5, "CNAME"},     {6, "SOA"},
    {7, "MB"},      {8, "MG"},      {9, "MR"},       {10, "NULL"},       {11, "WKS"},      {12, "PTR"},
    {13, "HINFO"},  {14, "MINFO"},  {15, "MX"},      {16, "TXT"},        {17, "RP"},       {18, "AFSDB"},
    {19, "X25"},    {20, "ISDN"},   {21, "RT"},      {22, "NSAP"},       {23, "NSAP-PTR"}, {24, "SIG"},
    {25, "KEY"},    {26, "PX"},     {27, "GPOS"},    {28, "AAAA"},       {29, "LOC"},      {30, "NXT"},
    {33, "SRV"},    {35, "NAPTR"},  {36, "KX"},      {37, "CERT"},       {39, "DNAME"},    {41, "OPT"},
    {42, "APL"},    {43, "DS"},     {44, "SSHFP"},   {45, "IPSECKEY"},   {46, "RRSIG"},    {47, "NSEC"},
    {48, "DNSKEY"}, {49, "DHCID"},  {50, "NSEC3"},   {51, "NSEC3PARAM"}, {52, "TLSA"},     {53, "SMIMEA"},
    {55, "HIP"},    {59, "CDS"},    {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"},    {63, "ZONEMD"},
    {64, "SVCB"},   {65, "HTTPS"},  {99, "SPF"},     {104, "NID"},       {105, "L32"},     {106, "L64"},
    {107, "LP"},    {108, "EUI48"}, {109, "EUI64"},  {249, "TKEY"},      {250, "TSIG"},    {251, "IXFR"},
    {252, "AXFR"},  {253, "MAILB"}, {254, "MAILA"},  {255, "ANY"},       {256, "URI"},     {257, "CAA"},
};

static const struct word rcodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
    {19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

static const char *word_find(const struct word *words, size_t count, unsigned number) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (words[middle].number == number)
            return words[middle].text;
        if (words[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *dns_type_text(uint16_t type, char to[16]) {
    const char *text = word_find(types, ARRAY_SIZE(types), type);
    if (text != NULL)
        return text;
    snprintf(to, 16, "TYPE%u", type);
    return to;
}

int dns_type_from_text(const char *text) {
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcasecmp(text, types[i].text) == 0)
            return types[i].number;
    if (strncasecmp(text, "TYPE", 4) != 0 || text[4] == '\0')
        return -1;
    int number = 0;
    for (const char *p = text + 4; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return -1;
        number = number * 10 + (*p - '0');
        if (number > 65535)
            return -1;
    }
    return number;
}

const char *dns_rcode_text(unsigned rcode, char to[16]) {
    const char *text = word_find(rcodes, ARRAY_SIZE(rcodes), rcode);
    if (text != NULL)
        return text;
    snprintf(to, 16, "RCODE%u", rcode & 0xFFFF);
    return to;
}
