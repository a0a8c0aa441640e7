/* SOA questions: the truth about what a primary has. NOTIFY is the hint to ask. */
#include "rbl/secondary/impl.h"
#include "resolver/base/log.h"

/* --- trouble */

void primary_log(struct sec_primary *p, const char *what, const char *why) {
    int64_t now = loop_now_ms(p->zone->in->c.loop);
    if (strncmp(p->said, why, sizeof p->said) == 0 && now - p->said_ms < SECONDARY_LOG_MS)
        return;
    text_copy(p->said, sizeof p->said, why);
    p->said_ms = now;
    LOG(LEVEL_WARN, what, KS("zone", p->zone->conf->name), KS("primary", p->name), KS("why", why));
}

void primary_failed(struct sec_primary *p, const struct err *why) {
    struct sec_zone *z = p->zone;
    link_tried(p->link, why->code, why->text);
    primary_log(p, "a primary does not answer as it should", why->text);
    p->state_known = false;
    board_set(&p->link->held, 0);
    schedule_failed(&z->s, p->index, loop_now_ms(z->in->c.loop));
}

/* --- the answer */

struct soa_answer {
    bool authoritative;
    unsigned rcode;
    bool has_soa, has_status;
    uint32_t serial;
    struct native_state status;
};

static int soa_serial(const struct dns_rr *rr, struct bytes msg, uint32_t *serial) {
    uint32_t minimum;
    return dns_soa_read(rr, msg.at, msg.size, serial, &minimum);
}

static void read_status(struct bytes msg, struct soa_answer *a) {
    struct native n;
    struct bytes rest = ask_options(msg), data;
    while (!a->has_status && dns_option_next(&rest, NATIVE_OPTION, &data) == 0)
        if (native_read(&n, data) == 0 && n.kind == NATIVE_STATUS) {
            a->status = n.state;
            a->has_status = true;
        }
}

static int read_answer(const struct sec_primary *p, struct bytes msg, struct soa_answer *a, struct err *err) {
    struct dns_reader r;
    struct dns_rr rr;
    struct name qname;
    uint16_t type = 0, klass = 0;
    memset(a, 0, sizeof *a);
    int rc = dns_reader_open(&r, msg.at, msg.size, &qname, &type, &klass);
    if (rc < 0 || (r.header.flags & FLAG_QR) == 0 || r.header.opcode != OPCODE_QUERY)
        return err_set(err, E_INVALID, "the answer is no DNS message");
    a->rcode = r.header.rcode;
    a->authoritative = (r.header.flags & FLAG_AA) != 0;
    if (r.header.qd != 0 && (type != TYPE_SOA || klass != CLASS_IN || !name_equal(&qname, &p->zone->apex)))
        return err_set(err, E_INVALID, "an answer to another question");
    while ((rc = dns_reader_next(&r, &rr)) == 0)
        if (rr.section == SECTION_ANSWER && rr.type == TYPE_SOA && name_equal(&rr.owner, &p->zone->apex))
            a->has_soa = soa_serial(&rr, msg, &a->serial) == 0;
    if (rc != E_NOTFOUND)
        return err_set(err, E_INVALID, "the answer is no DNS message");
    read_status(msg, a);
    return 0;
}

static int judge_answer(const struct soa_answer *a, struct err *err) {
    char rcode[16];
    if (a->rcode != RCODE_NOERROR)
        return err_set(err, a->rcode == RCODE_REFUSED || a->rcode == RCODE_NOTAUTH ? E_DENIED : E_INVALID,
                       "it answers the SOA question with %s", dns_rcode_text(a->rcode, rcode));
    if (!a->has_soa)
        return err_set(err, E_INVALID, "its answer has no SOA");
    if (!a->authoritative)
        return err_set(err, E_INVALID, "it is not authoritative for the zone (no AA)");
    return 0;
}

static void good_answer(struct sec_primary *p, const struct soa_answer *a) {
    struct sec_zone *z = p->zone;
    int64_t now = loop_now_ms(z->in->c.loop), half = (now - p->check_sent_ms) / 2;
    int rejected = 0;
    board_set(&p->link->last_check_wall_ms, (uint64_t)clock_wall_ms());
    schedule_said(&z->s, p->index, a->serial, a->has_status ? SECONDARY_BESIDE_MS : 0, now);
    if (a->has_status) {
        rejected = judge_state(p, &a->status);
        judge_clock(p, a->status.wall_ms, half, true);
    } else {
        p->make = MAKE_OTHER;
        p->state_known = false;
        board_set(&p->link->native, 0);
        judge_serial(p, a->serial);
    }
    if (rejected != 0)
        schedule_failed(&z->s, p->index, now);
    else if (!z->s.have || !serial_newer(a->serial, z->s.serial))
        zone_checked(z);
}

static enum question_end on_answer(void *ctx, struct bytes msg, bool is_signed, const struct err *why) {
    struct sec_primary *p = ctx;
    struct soa_answer a = {0};
    struct err err = {0};
    (void)is_signed;
    p->check = NULL;
    int rc = msg.at == NULL ? why->code : read_answer(p, msg, &a, &err);
    bool no_edns = rc == 0 && !p->no_edns && (a.rcode == RCODE_FORMERR || a.rcode == RCODE_NOTIMP);
    if (no_edns) { /* RFC 6891 section 7: a server that knows no EDNS */
        p->no_edns = true;
        check_start(p);
        return QUESTION_OVER;
    }
    if (rc == 0)
        rc = judge_answer(&a, &err);
    if (rc == 0) {
        good_answer(p, &a);
    } else {
        board_add(&p->link->checks_failed, 1);
        primary_failed(p, msg.at == NULL ? why : &err);
    }
    if (rc == 0 && p->ack_again) {
        p->ack_again = false;
        p->zone->s.primary[p->index].asking = true;
        check_start(p);
    }
    zone_next_step(p->zone, loop_now_ms(p->zone->in->c.loop));
    return QUESTION_OVER;
}

void check_start(struct sec_primary *p) {
    struct secondary *in = p->zone->in;
    struct err err = {0};
    struct question_plan plan = {.within_ms = SECONDARY_ANSWER_MS, .answer = on_answer, .ctx = p, .link = p->link};
    board_add(&p->link->checks, 1);
    board_set(&p->link->tried_wall_ms, (uint64_t)clock_wall_ms());
    p->check_sent_ms = loop_now_ms(in->c.loop);
    if (p->peer == NULL)
        p->peer = peer_get(in, &p->rule, false, &err);
    if (p->peer != NULL) {
        int size = ask_soa(p, in->message, sizeof in->message);
        p->check = size < 0 ? NULL : peer_ask(p->peer, in->message, (size_t)size, sizeof in->message, &plan, &err);
        if (size < 0)
            (void)err_set(&err, size, "the question cannot be written");
    }
    if (p->check != NULL)
        return;
    board_add(&p->link->checks_failed, 1);
    primary_failed(p, &err);
}
