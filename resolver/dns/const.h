/* Numbers of the DNS: types, classes, codes, EDNS options (IANA "DNS Parameters"). Names are the field's (RFC 8499). */
#ifndef CANDOR_DNS_CONST_H
#define CANDOR_DNS_CONST_H

#include <stdint.h>

enum dns_type {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_HINFO = 13,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    TYPE_NSEC3 = 50,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
    TYPE_TKEY = 249,
    TYPE_TSIG = 250,
    TYPE_IXFR = 251,
    TYPE_AXFR = 252,
    TYPE_ANY = 255,
};
enum dns_class { CLASS_IN = 1, CLASS_CH = 3, CLASS_NONE = 254, CLASS_ANY = 255 };
enum dns_opcode { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };
enum dns_rcode {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6,
    RCODE_YXRRSET = 7,
    RCODE_NXRRSET = 8,
    RCODE_NOTAUTH = 9,
    RCODE_NOTZONE = 10,
    RCODE_BADVERS = 16,
    RCODE_BADCOOKIE = 23,
};
enum dns_flag { /* of the header's second 16 bits */
                FLAG_QR = 0x8000,
                FLAG_AA = 0x0400,
                FLAG_TC = 0x0200,
                FLAG_RD = 0x0100,
                FLAG_RA = 0x0080,
                FLAG_AD = 0x0020,
                FLAG_CD = 0x0010,
};
enum dns_option {
    OPTION_NSID = 3,
    OPTION_ECS = 8,
    OPTION_EXPIRE = 9,
    OPTION_COOKIE = 10,
    OPTION_KEEPALIVE = 11,
    OPTION_PADDING = 12,
    OPTION_EDE = 15
};
/* Extended DNS Errors (RFC 8914 section 4, and the registry). */
enum dns_ede {
    EDE_OTHER = 0,
    EDE_STALE_ANSWER = 3,
    EDE_FORGED_ANSWER = 4,
    EDE_NOT_READY = 14,
    EDE_BLOCKED = 15,
    EDE_FILTERED = 17,
    EDE_PROHIBITED = 18,
    EDE_STALE_NXDOMAIN = 19,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_NO_REACHABLE_AUTHORITY = 22,
    EDE_NETWORK_ERROR = 23,
    EDE_INVALID_DATA = 24,
    EDE_NONE = -1,
};
enum dns_section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };
enum { DNS_HEADER = 12 };

/* "A", "TYPE65280"; text back to number, -1 when it is none. */
const char *dns_type_text(uint16_t type, char to[16]);
int dns_type_from_text(const char *text);
/* "NOERROR", "RCODE77". */
const char *dns_rcode_text(unsigned rcode, char to[16]);

#endif
