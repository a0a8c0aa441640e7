#include "health/monitor/receiver.h"

#include <stdlib.h>
#include <unistd.h>

#include "health/monitor/index.h"
#include "resolver/base/clock.h"
#include "resolver/dns/writer.h"
#include "resolver/net/server.h"
#include "resolver/net/socket.h"

struct receiver {
    const struct conf *conf;
    struct tsig_keys *keys;
    struct node_index *index;
    const struct tsig_key *key[LIMIT_NODES]; /* of each node */
    struct server *server;
    struct server_sockets sockets;
    struct name question;
    receiver_report take;
    receiver_asked asked;
    void *ctx;
    uint64_t refused[RECEIVER_REFUSALS];
};

const char *receiver_refusal_name(enum receiver_refusal r) {
    static const char *const names[RECEIVER_REFUSALS] = {"tsig", "unknown", "form"};
    return r < RECEIVER_REFUSALS ? names[r] : "?";
}

/* The answer, with the acknowledgement when there is one; `t` signs it as it deserves. */
static size_t answer(const struct dns_query *q, const struct tsig *t, unsigned rcode, const struct report_ack *a,
                     uint8_t *reply, size_t cap) {
    uint8_t data[REPORT_OPTION_MAX], option[REPORT_OPTION_MAX + DNS_OPTION_FIXED];
    struct dns_opt opt = DNS_OPT_INIT(REPORT_MESSAGE);
    struct dns_writer w;
    int size = a != NULL ? report_ack_write(a, data, sizeof data) : E_NOTFOUND;
    if (size >= 0)
        size = dns_option_put(option, 0, sizeof option, REPORT_OPTION, (struct bytes){data, (size_t)size});
    if (size >= 0)
        opt.options = (struct bytes){option, (size_t)size};
    dns_writer_open(&w, reply, cap < REPORT_MESSAGE ? cap : REPORT_MESSAGE, q->header.id, FLAG_QR, q->header.opcode);
    if (q->question_end > 0)
        dns_writer_question(&w, &q->qname, q->qtype, q->qclass);
    if (q->edns.present)
        dns_writer_opt(&w, &opt);
    size = dns_writer_end(&w, 0, rcode);
    if (size > 0)
        size = tsig_reply(t, reply, (size_t)size, cap, clock_wall_ms() / 1000);
    return size > 0 ? (size_t)size : 0;
}

/* The node that the report names, when it is that node's key that signed it. */
static size_t find_node(const struct receiver *r, const char *name, const struct tsig_key *key) {
    size_t i = node_index_find(r->index, name);
    return i != SIZE_MAX && r->key[i] == key ? i : SIZE_MAX;
}

static size_t handle(void *ctx, const struct client *c, const uint8_t *msg, size_t size, uint8_t *reply, size_t cap) {
    struct receiver *r = ctx;
    struct dns_query q;
    struct tsig t = {.present = false};
    struct report report;
    struct bytes data;
    (void)c;
    int rc = dns_query_read(&q, msg, size);
    if (rc < 0)
        return 0;
    if (rc == 0 && (q.header.opcode != OPCODE_QUERY || q.qtype != TYPE_TXT || q.qclass != CLASS_CH ||
                    !name_equal(&q.qname, &r->question)))
        rc = RCODE_REFUSED;
    if (rc == 0 && (rc = tsig_check(&t, r->keys, msg, size, clock_wall_ms() / 1000)) != 0)
        r->refused[RECEIVER_TSIG]++;
    if (rc != 0)
        return answer(&q, &t, (unsigned)rc, NULL, reply, cap);
    if (!t.present || t.key == NULL) {
        r->refused[RECEIVER_TSIG]++;
        return answer(&q, &t, RCODE_REFUSED, NULL, reply, cap);
    }
    if (report_option(&data, msg, size) < 0 || report_read(&report, data) < 0) {
        r->refused[RECEIVER_FORM]++;
        return answer(&q, &t, RCODE_FORMERR, NULL, reply, cap);
    }
    size_t node = find_node(r, report.node, t.key);
    if (node == SIZE_MAX) {
        r->refused[RECEIVER_UNKNOWN]++;
        return answer(&q, &t, RCODE_REFUSED, NULL, reply, cap);
    }
    struct report_ack a = {.boot = report.boot, .sequence = report.sequence, .wall_ms = clock_wall_ms()};
    text_copy(a.monitor, sizeof a.monitor, r->conf->node.name);
    a.missed = r->take(r->ctx, node, &report);
    int64_t asked_ms = r->asked(r->ctx, node);
    a.asked_ago_ms = asked_ms > 0 ? clock_mono_ms() - asked_ms : -1;
    return answer(&q, &t, RCODE_NOERROR, &a, reply, cap);
}

static int keys_open(struct receiver *r, struct err *err) {
    const struct conf_health *h = &r->conf->health;
    int rc = tsig_keys_open(&r->keys, r->conf->rbl.keys, r->conf->rbl.key_count, err);
    for (size_t i = 0; rc == 0 && i < h->monitor.node_count && i < LIMIT_NODES; i++) {
        struct name name;
        if (h->monitor.nodes[i].key[0] == '\0')
            continue; /* its reports are not believed; it is asked all the same */
        rc = name_from_text(&name, h->monitor.nodes[i].key, err);
        r->key[i] = rc == 0 ? tsig_keys_find(r->keys, &name) : NULL;
        if (rc == 0 && r->key[i] == NULL)
            rc = err_set(err, E_NOTFOUND, "health.monitor.nodes %s: rbl.keys has no key %s", h->monitor.nodes[i].name,
                         h->monitor.nodes[i].key);
    }
    return rc;
}

static int sockets_open(struct receiver *r, struct err *err) {
    const struct conf_health *h = &r->conf->health;
    for (size_t i = 0; i < h->monitor.listen_count && r->sockets.count < LIMIT_LISTEN; i++) {
        if (!h->monitor.listen[i].has_datagram)
            continue;
        int fd = socket_udp(&h->monitor.listen[i].datagram, false, NULL, err);
        if (fd < 0)
            return fd;
        r->sockets.at[r->sockets.count].udp = fd;
        r->sockets.at[r->sockets.count++].tcp = -1;
    }
    return 0;
}

int receiver_open(struct receiver **out, struct loop *l, const struct conf *conf, receiver_report take,
                  receiver_asked asked, void *ctx, struct err *err) {
    struct receiver *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL)
        return err_set(err, E_NOMEM, "no memory for the monitor's port");
    r->conf = conf;
    r->take = take;
    r->asked = asked;
    r->ctx = ctx;
    report_question(&r->question);
    r->index = node_index_make(conf);
    int rc = r->index != NULL ? keys_open(r, err) : err_set(err, E_NOMEM, "no memory for the monitor's port");
    if (rc == 0)
        rc = sockets_open(r, err);
    if (rc == 0 && r->sockets.count > 0)
        rc = server_open(&r->server, l, &r->sockets, handle, NULL, r, NULL, err);
    if (rc < 0 || r->sockets.count == 0) {
        receiver_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void receiver_close(struct receiver *r) {
    if (r == NULL)
        return;
    if (r->server != NULL)
        server_close(r->server);
    for (size_t i = 0; i < r->sockets.count; i++)
        (void)close(r->sockets.at[i].udp);
    tsig_keys_close(r->keys);
    node_index_free(r->index);
    free(r);
}

const uint64_t *receiver_refused(const struct receiver *r) { return r->refused; }
