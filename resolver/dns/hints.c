/* Root hints, and whom recursion may ask. */
#include "resolver/dns/hints.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HINTS_FILE_MAX = 1 << 20, HINTS_LINES_MAX = 16384, DNS_PORT = 53 };

/* As IANA publishes them, of letter "a" to "m". */
static const char *const built_in[][2] = {
    {"198.41.0.4", "2001:503:ba3e::2:30"},   {"170.247.170.2", "2801:1b8:10::b"},  {"192.33.4.12", "2001:500:2::c"},
    {"199.7.91.13", "2001:500:2d::d"},       {"192.203.230.10", "2001:500:a8::e"}, {"192.5.5.241", "2001:500:2f::f"},
    {"192.112.36.4", "2001:500:12::d0d"},    {"198.97.190.53", "2001:500:1::53"},  {"192.36.148.17", "2001:7fe::53"},
    {"192.58.128.30", "2001:503:c27::2:30"}, {"193.0.14.129", "2001:7fd::1"},      {"199.7.83.42", "2001:500:9f::42"},
    {"202.12.27.33", "2001:dc3::35"},
};

/* Index of the host, which is added when it is not there; -1: no room. */
static int host_index(struct hints *h, const struct name *host) {
    for (unsigned i = 0; i < h->hosts; i++)
        if (name_equal(&h->host[i], host))
            return (int)i;
    if (h->hosts == HINTS_NAMES)
        return -1;
    h->host[h->hosts] = *host;
    name_lower(&h->host[h->hosts]);
    return (int)h->hosts++;
}

static int open_built_in(struct hints *h, struct err *err) {
    char host[] = "a.root-servers.net.";
    struct name name;
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        host[0] = (char)('a' + i);
        int e = name_from_text(&name, host, err);
        int at = e == 0 ? host_index(h, &name) : -1;
        for (size_t k = 0; e == 0 && at >= 0 && k < 2; k++) {
            h->at[h->count].host = (uint8_t)at;
            e = addr_parse(&h->at[h->count++].address, built_in[i][k], DNS_PORT, err);
        }
        if (e != 0)
            return e;
    }
    return 0;
}

/* --- a file */

/* What was read of it: NS names of the root and addresses, which may stand before the NS that names their host. */
struct hints_file {
    struct name ns[HINTS_NAMES];
    unsigned ns_count;
    struct {
        struct name host;
        struct addr address;
    } at[2 * HINTS_ADDRESSES];
    unsigned count;
};

static bool name_of(struct name *n, const ldns_rdf *rdf) {
    size_t end;
    return rdf != NULL && ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME &&
           name_read(n, ldns_rdf_data(rdf), ldns_rdf_size(rdf), 0, &end) == 0;
}

static bool address_of(struct addr *a, ldns_rr_type type, const ldns_rdf *rdf) {
    memset(a, 0, sizeof *a);
    if (type == LDNS_RR_TYPE_A && ldns_rdf_size(rdf) == sizeof a->in.sin_addr) {
        a->in.sin_family = AF_INET;
        memcpy(&a->in.sin_addr, ldns_rdf_data(rdf), sizeof a->in.sin_addr);
    } else if (type == LDNS_RR_TYPE_AAAA && ldns_rdf_size(rdf) == sizeof a->in6.sin6_addr) {
        a->in6.sin6_family = AF_INET6;
        memcpy(&a->in6.sin6_addr, ldns_rdf_data(rdf), sizeof a->in6.sin6_addr);
    } else {
        return false;
    }
    addr_set_port(a, DNS_PORT);
    return true;
}

/* Types other than NS, A and AAAA are passed over, and so are NS of other names than the root. */
static int take_rr(struct hints_file *f, const ldns_rr *rr) {
    ldns_rr_type type = ldns_rr_get_type(rr);
    struct name owner;
    if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN || ldns_rr_rd_count(rr) != 1 || !name_of(&owner, ldns_rr_owner(rr)))
        return 0;
    if (type == LDNS_RR_TYPE_NS && owner.labels == 0) {
        if (f->ns_count == HINTS_NAMES)
            return E_FULL;
        if (name_of(&f->ns[f->ns_count], ldns_rr_rdf(rr, 0)))
            f->ns_count++;
    } else if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
        if (f->count == sizeof f->at / sizeof *f->at)
            return E_FULL;
        f->at[f->count].host = owner;
        if (address_of(&f->at[f->count].address, type, ldns_rr_rdf(rr, 0)))
            f->count++;
    }
    return 0;
}

static bool is_ns(const struct hints_file *f, const struct name *host) {
    for (unsigned i = 0; i < f->ns_count; i++)
        if (name_equal(&f->ns[i], host))
            return true;
    return false;
}

static int keep(struct hints *h, const struct hints_file *f, const char *path, struct err *err) {
    for (unsigned i = 0; i < f->count; i++) {
        int at = is_ns(f, &f->at[i].host) ? host_index(h, &f->at[i].host) : -1;
        if (at < 0)
            continue;
        if (h->count == HINTS_ADDRESSES)
            return err_set(err, E_FULL, "%s: expected at most %d addresses of root servers", path, HINTS_ADDRESSES);
        h->at[h->count].host = (uint8_t)at;
        h->at[h->count++].address = f->at[i].address;
    }
    if (h->count == 0)
        return err_set(err, E_INVALID, "%s: expected NS records of the root and an address for at least one of them",
                       path);
    return 0;
}

static int read_file(struct hints_file *f, FILE *file, const char *path, struct err *err) {
    int line = 1;
    uint32_t ttl = 3600000;
    ldns_rdf *origin = ldns_dname_new_frm_str("."), *previous = NULL;
    int e = origin != NULL ? 0 : err_set(err, E_NOMEM, "%s: no memory", path);
    for (int i = 0; e == 0 && !feof(file); i++) {
        ldns_rr *rr = NULL;
        int at = line;
        ldns_status s = ldns_rr_new_frm_fp_l(&rr, file, &ttl, &origin, &previous, &line);
        if (i == HINTS_LINES_MAX)
            e = err_set(err, E_FULL, "%s:%d: expected at most %d lines", path, at, HINTS_LINES_MAX);
        else if (s == LDNS_STATUS_OK)
            e = take_rr(f, rr) != 0 ? err_set(err, E_FULL, "%s:%d: expected at most %d NS and %d addresses", path, at,
                                              HINTS_NAMES, 2 * HINTS_ADDRESSES)
                                    : 0;
        else if (s != LDNS_STATUS_SYNTAX_EMPTY && s != LDNS_STATUS_SYNTAX_TTL && s != LDNS_STATUS_SYNTAX_ORIGIN)
            e = err_set(err, E_INVALID, "%s:%d: expected a record in zone file form: %s", path, at,
                        ldns_get_errorstr_by_id(s));
        ldns_rr_free(rr);
    }
    ldns_rdf_deep_free(previous);
    ldns_rdf_deep_free(origin);
    return e;
}

static int open_checked(struct hints *h, FILE *file, const char *path, struct err *err) {
    struct stat st;
    if (fstat(fileno(file), &st) != 0)
        return err_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode) || st.st_size > HINTS_FILE_MAX)
        return err_set(err, E_INVALID, "%s: expected a file of at most %d octets", path, HINTS_FILE_MAX);
    struct hints_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return err_set(err, E_NOMEM, "%s: no memory", path);
    int e = read_file(f, file, path, err);
    if (e == 0)
        e = keep(h, f, path, err);
    free(f);
    return e;
}

static int open_file(struct hints *h, const char *path, struct err *err) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return err_errno(err, "%s", path);
    int e = open_checked(h, file, path, err);
    (void)fclose(file);
    return e;
}

int hints_open(struct hints *h, const struct conf *conf, struct err *err) {
    const char *path = conf->resolver.recursion.root_hints;
    memset(h, 0, sizeof *h);
    int e = path[0] != '\0' ? open_file(h, path, err) : open_built_in(h, err);
    return e == 0 || path[0] == '\0' ? e : err_prefix(err, "resolver.recursion.root-hints");
}

/* --- whom recursion may ask */

/* What no unicast packet to another host can have, whatever the configuration says. */
static bool is_no_host(const struct addr *a) {
    if (addr_family(a) == AF_INET) {
        uint32_t host = ntohl(a->in.sin_addr.s_addr);
        return host >> 24 == 0 || host >> 28 >= 14;
    }
    return addr_family(a) != AF_INET6 || addr_is_any(a) || IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
}

static bool is_own(const struct conf *conf, const struct addr *a) {
    for (size_t i = 0; i < conf->resolver.listen_count; i++) {
        const struct addr *l = &conf->resolver.listen[i].address;
        if (addr_same(l, a) || (addr_is_any(l) && addr_is_loopback(a) && addr_port(l) == addr_port(a)))
            return true;
    }
    return false;
}

static bool in_list(const struct conf_list_addr *list, const struct addr *a) {
    for (size_t i = 0; i < list->count; i++)
        if (addr_same(&list->at[i], a))
            return true;
    return false;
}

static bool is_named(const struct conf_resolver *r, const struct addr *a) {
    for (size_t i = 0; i < r->forward_count; i++)
        if (in_list(&r->forward[i].to, a))
            return true;
    for (size_t i = 0; i < r->stub_count; i++)
        if (in_list(&r->stub[i].to, a))
            return true;
    return false;
}

bool hints_may_ask(const struct conf *conf, const struct addr *a) {
    const struct conf_recursion *r = &conf->resolver.recursion;
    struct addr plain;
    addr_from_sockaddr(&plain, &a->sa); /* IPv4 in IPv6 is IPv4, to the lists too */
    if (addr_port(&plain) == 0 || is_no_host(&plain) || is_own(conf, &plain))
        return false;
    if (is_named(&conf->resolver, &plain))
        return true;
    if (addr_family(&plain) == AF_INET ? !r->ipv4 : !r->ipv6)
        return false;
    if (addr_is_loopback(&plain))
        return r->query_localhost;
    return !prefix_list_has(r->do_not_query.at, r->do_not_query.count, &plain);
}
