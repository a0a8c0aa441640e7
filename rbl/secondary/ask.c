/* Questions to primaries: SOA with STATUS, IXFR, AXFR, IXFR with ASK. */
#include "rbl/secondary/impl.h"

enum { ASK_UDP_SIZE = 1232, ASK_OPTION_MAX = NATIVE_STATE_MAX + DNS_OPTION_FIXED };

void ask_state(const struct sec_zone *z, struct native_state *st) {
    struct keep_state have;
    *st = z->fresh_known ? z->fresh : (struct native_state){0};
    st->flags = 0;
    st->epoch = z->epoch;
    st->wall_ms = clock_wall_ms();
    if (keeper_state(z->in->c.keeper, z->index, &have, NULL) == 0) {
        st->flags = NATIVE_HAVE;
        st->serial = have.serial;
        st->digest = have.digest;
        st->commit = have.commits;
    }
    if (st->path_count >= NATIVE_PATH)
        st->path_count = NATIVE_PATH - 1;
    text_copy(st->path[st->path_count++], NATIVE_NODE, z->in->c.conf->node.name);
}

/* `n` NULL: EDNS without the option. */
static int put_opt(struct dns_writer *w, const struct native *n) {
    uint8_t data[NATIVE_STATE_MAX], option[ASK_OPTION_MAX];
    struct dns_opt opt = DNS_OPT_INIT(ASK_UDP_SIZE);
    if (n != NULL) {
        int size = native_write(n, data, sizeof data);
        if (size >= 0)
            size = dns_option_put(option, 0, sizeof option, NATIVE_OPTION, (struct bytes){data, (size_t)size});
        if (size < 0)
            return size;
        opt.options = (struct bytes){option, (size_t)size};
    }
    dns_writer_opt(w, &opt);
    return 0;
}

int ask_soa(const struct sec_primary *p, uint8_t *to, size_t cap) {
    struct dns_writer w;
    struct native n = {.kind = NATIVE_STATUS};
    dns_writer_open(&w, to, cap, 0, 0, OPCODE_QUERY);
    dns_writer_question(&w, &p->zone->apex, TYPE_SOA, CLASS_IN);
    ask_state(p->zone, &n.state);
    if (!p->no_edns) {
        int rc = put_opt(&w, &n);
        if (rc < 0)
            return rc;
    }
    return dns_writer_end(&w, 0, 0);
}

/* The serial is what counts; the names are the root's. */
static void put_have(struct dns_writer *w, const struct name *apex, uint32_t serial) {
    struct dns_soa soa = {.serial = serial};
    soa.primary = soa.contact = (struct name){.size = 1};
    dns_writer_soa(w, SECTION_AUTHORITY, apex, 0, &soa);
}

int ask_plain(const struct sec_primary *p, uint16_t type, uint8_t *to, size_t cap) {
    struct dns_writer w;
    dns_writer_open(&w, to, cap, 0, 0, OPCODE_QUERY);
    dns_writer_question(&w, &p->zone->apex, type, CLASS_IN);
    if (type == TYPE_IXFR)
        put_have(&w, &p->zone->apex, p->zone->s.serial);
    return dns_writer_end(&w, 0, 0);
}

int ask_native(const struct sec_primary *p, bool hold, bool snapshot, uint8_t *to, size_t cap) {
    const struct sec_zone *z = p->zone;
    struct dns_writer w;
    struct keep_state have;
    struct native n = {.kind = NATIVE_ASK, .ask.hold_s = hold ? NATIVE_HOLD_S : 0};
    if (!snapshot && keeper_state(z->in->c.keeper, z->index, &have, NULL) == 0) {
        n.ask.flags = NATIVE_HAVE;
        n.ask.serial = have.serial;
        n.ask.digest = have.digest;
    }
    if (z->parked != NULL) {
        n.ask.resume_at = z->parked->taken;
        memcpy(n.ask.resume_id, z->parked->head.id, sizeof n.ask.resume_id);
    }
    text_copy(n.ask.node, sizeof n.ask.node, z->in->c.conf->node.name);
    dns_writer_open(&w, to, cap, 0, 0, OPCODE_QUERY);
    dns_writer_question(&w, &z->apex, TYPE_IXFR, CLASS_IN);
    put_have(&w, &z->apex, n.ask.serial);
    int rc = put_opt(&w, &n);
    return rc < 0 ? rc : dns_writer_end(&w, 0, 0);
}

struct bytes ask_options(struct bytes msg) {
    struct dns_edns e;
    return dns_edns_find(&e, msg.at, msg.size) == 0 ? e.options : (struct bytes){NULL, 0};
}
