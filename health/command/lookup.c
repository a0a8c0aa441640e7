/* candor lookup: asks the node as a mail filter would, all zones side by side. */
#include "health/command/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/command/command.h"
#include "health/command/out.h"
#include "health/command/query.h"

/* Two questions each, A and TXT: the name itself (zone NULL), or what was asked for in one zone. */
struct target {
    const struct conf_zone *zone;
    struct query *a, *txt;
};

static bool dns_address(const struct conf *conf, struct addr *to) {
    for (size_t i = 0; i < conf->resolver.listen_count; i++) {
        if (conf->resolver.listen[i].tls)
            continue;
        *to = conf->resolver.listen[i].address;
        if (!addr_is_any(to))
            return true;
        return addr_parse(to, addr_family(to) == AF_INET6 ? "::1" : "127.0.0.1", addr_port(to), NULL) == 0;
    }
    return false;
}

static bool own_name(const struct lookup *l, const struct conf *conf) {
    for (size_t i = 0; i < conf->rbl.zone_count; i++) {
        struct name apex;
        if (conf_zone_is_served(&conf->rbl.zones[i]) && name_from_text(&apex, conf->rbl.zones[i].name, NULL) == 0 &&
            name_under(&l->name, &apex))
            return true;
    }
    return false;
}

static size_t aim(struct target *t, struct query *q, const struct conf_zone *zone, const struct lookup *l) {
    struct name qname = l->name;
    if (zone != NULL && lookup_below(l, zone->name, &qname) < 0)
        return 0;
    *t = (struct target){zone, q, q + 1};
    q[0].qname = q[1].qname = qname;
    q[0].qtype = TYPE_A;
    q[1].qtype = TYPE_TXT;
    return 1;
}

/* A name below a zone of the node is that zone's business alone. */
static size_t targets(struct target *t, struct query *q, const struct conf *conf, const struct lookup *l) {
    size_t n = 0;
    if (l->kind == LOOKUP_NAMES)
        n += aim(&t[n], &q[2 * n], NULL, l);
    if (l->kind == LOOKUP_NAMES && own_name(l, conf))
        return n;
    for (size_t i = 0; i < conf->rbl.zone_count; i++)
        if (conf_zone_is_served(&conf->rbl.zones[i]) && (lookup_kinds(&conf->rbl.zones[i]) & l->kind) != 0)
            n += aim(&t[n], &q[2 * n], &conf->rbl.zones[i], l);
    return n;
}

/* 0 yes, 1 no, 2 neither. */
static int verdict(const struct target *t) {
    if (t->a->code != 0 || t->txt->code != 0)
        return EXIT_TROUBLE;
    if (t->a->rrs > 0 || (t->zone == NULL && t->txt->rrs > 0))
        return EXIT_WELL;
    return t->a->rcode == RCODE_NOERROR || t->a->rcode == RCODE_NXDOMAIN ? EXIT_NOT_LISTED : EXIT_TROUBLE;
}

static void trouble(const struct query *q, char *to, size_t cap) {
    char rcode[16];
    if (q->code != 0)
        (void)snprintf(to, cap, "no answer (%s%s%s)", err_name(q->code), q->sys_errno != 0 ? ": " : "",
                       q->sys_errno != 0 ? strerror(q->sys_errno) : "");
    else if (q->ede != EDE_NONE)
        (void)snprintf(to, cap, "%s (extended error %d%s%s)", dns_rcode_text(q->rcode, rcode), q->ede,
                       q->ede_text[0] != '\0' ? ": " : "", q->ede_text);
    else
        (void)snprintf(to, cap, "%s", dns_rcode_text(q->rcode, rcode));
}

static void join(const struct query *q, char *to, size_t cap) {
    size_t at = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < q->rrs && at < cap; i++)
        at += (size_t)snprintf(to + at, cap - at, "%s%s", i > 0 ? ", " : "", q->rr[i].text);
}

static void show_zone(struct out_table *table, const struct target *t) {
    static const char *const words[] = {"listed", "not listed", "error"};
    char a[OUT_CELL_MAX], txt[OUT_CELL_MAX], ttl[32] = "";
    int v = verdict(t);
    join(t->a, a, sizeof a);
    join(t->txt, txt, sizeof txt);
    if (v == EXIT_TROUBLE)
        trouble(t->a->code != 0 || t->a->rcode != RCODE_NOERROR ? t->a : t->txt, txt, sizeof txt);
    if (t->a->rrs > 0)
        (void)snprintf(ttl, sizeof ttl, "%u s", t->a->rr[0].ttl);
    out_row(table, t->zone->name, words[v], a, ttl, txt);
}

static void show_query(const struct query *q) {
    char name[NAME_TEXT_MAX], type[16], took[32], why[512];
    printf("%s %s: ", name_text(&q->qname, name), dns_type_text(q->qtype, type));
    trouble(q, why, sizeof why);
    printf("%s, %s%s, %s%s%s\n", why,
           (q->flags & FLAG_AA) != 0 ? "from a zone of this node" : "not from a zone of this node",
           q->tcp ? ", over TCP" : "", out_age(took, (double)q->took_ns / 1e9), q->nsid[0] != '\0' ? ", worker " : "",
           q->nsid);
    for (unsigned i = 0; i < q->rrs; i++)
        printf("  %6u  %-5s  %s\n", q->rr[i].ttl, dns_type_text(q->rr[i].type, type), q->rr[i].text);
}

static int show(const struct target *t, size_t count) {
    struct out_table *table = out_table_new(5);
    int best = EXIT_TROUBLE, zones = 0;
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        int v = verdict(&t[i]);
        if (t[i].zone == NULL) {
            show_query(t[i].a);
            show_query(t[i].txt);
        } else {
            show_zone(table, &t[i]);
            zones++;
        }
        /* The name itself may well not be resolvable here; what counts then is what the lists say. */
        failed |= v == EXIT_TROUBLE && (t[i].zone != NULL || count == 1);
        best = v < best ? v : best;
    }
    out_table_print(table, stdout, zones > 0 ? "  " : "");
    return best == EXIT_WELL ? EXIT_WELL : failed ? EXIT_TROUBLE : best;
}

static int ask(const struct conf *conf, const char *what, struct err *err) {
    struct lookup l;
    struct addr server;
    int rc = lookup_parse(&l, what, err);
    if (rc < 0)
        return rc;
    if (!dns_address(conf, &server))
        return err_set(err, E_INVALID, "resolver.listen has no address without TLS to ask");
    size_t cap = conf->rbl.zone_count + 1;
    struct target *t = calloc(cap, sizeof *t);
    struct query *q = calloc(2 * cap, sizeof *q);
    size_t count = t != NULL && q != NULL ? targets(t, q, conf, &l) : 0;
    if (t == NULL || q == NULL)
        rc = err_set(err, E_NOMEM, "no memory for %zu questions", 2 * cap);
    else if (count == 0)
        rc = err_set(err, E_NOTFOUND, "no zone of this node lists %s",
                     l.kind == LOOKUP_IP4   ? "IPv4 addresses"
                     : l.kind == LOOKUP_IP6 ? "IPv6 addresses"
                                            : "names");
    else if ((rc = query_all(&server, q, 2 * count, err)) == 0)
        rc = show(t, count);
    free(t);
    free(q);
    return rc;
}

static int lookup(const struct args *a) {
    struct conf *conf;
    struct err err = {0};
    if (args_config(a, &conf) < 0)
        return EXIT_TROUBLE;
    int rc = ask(conf, a->at[0], &err);
    if (rc < 0)
        fprintf(stderr, "candor lookup: %s\n", err.text);
    conf_free(conf);
    return rc < 0 ? EXIT_TROUBLE : rc;
}

const struct command command_lookup = {
    .name = "lookup",
    .synopsis = "NAME|ADDRESS",
    .summary = "asks the node's DNS port: an address in every list, a name itself and in every list of names",
    .manual =
        "The questions go over the network to the first address of resolver.listen, as a mail filter's would: A and\n"
        "TXT, all zones side by side. Exit code 0: listed, or answered; 1: not listed, or no such data; 2: an error,\n"
        "which is named.",
    .options = OPTION_CONFIG,
    .min_args = 1,
    .max_args = 1,
    .run = lookup,
};
