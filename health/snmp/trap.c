/* Notifications to an address: InformRequests, so that there is an answer to each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/snmp/impl.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

struct trap {
    struct snmp_base base;
    char peer[ADDR_TEXT_MAX + 16], address[ADDR_TEXT_MAX], node[SNMP_NODE], community[256];
    void *session; /* NULL: not open */
    int64_t opened_ms;
    uint64_t told; /* of this life: what was answered although the rest of its notice was not */
};

static bool session_open(struct trap *t, struct sink_news *news) {
    netsnmp_session s;
    if (t->session != NULL)
        return true;
    snmp_enter();
    snmp_sess_init(&s);
    s.version = SNMP_VERSION_2c;
    s.peername = t->peer;
    s.community = (u_char *)t->community;
    s.community_len = strlen(t->community);
    s.timeout = SNMP_WAIT_US;
    s.retries = SNMP_RETRIES;
    t->session = snmp_sess_open(&s);
    snmp_leave();
    if (t->session == NULL)
        (void)snprintf(news->trouble, sizeof news->trouble, "no session: %.100s", snmp_api_errstring(s.s_snmp_errno));
    return t->session != NULL;
}

static bool inform(struct trap *t, const struct event *e, struct sink_news *news) {
    netsnmp_pdu *answer = NULL, *pdu = snmp_pdu_create(SNMP_MSG_INFORM);
    if (pdu != NULL)
        pdu->variables = snmp_varbinds(&t->base, t->node, e, (u_long)(clock_mono_ms() - t->opened_ms) / 10);
    if (pdu == NULL || pdu->variables == NULL) {
        text_copy(news->trouble, sizeof news->trouble, "no memory for an InformRequest");
        snmp_free_pdu(pdu);
        return false;
    }
    int rc = snmp_sess_synch_response(t->session, pdu, &answer);
    bool well = rc == STAT_SUCCESS && answer != NULL && answer->errstat == SNMP_ERR_NOERROR;
    if (rc == STAT_TIMEOUT)
        text_copy(news->trouble, sizeof news->trouble, "no answer to an InformRequest");
    else if (!well)
        (void)snprintf(news->trouble, sizeof news->trouble, "InformRequest: %.100s",
                       answer != NULL ? snmp_errstring((int)answer->errstat) : "it could not be sent");
    if (answer != NULL)
        snmp_free_pdu(answer);
    return well;
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct trap *t = ctx;
    bool well = session_open(t, news);
    for (size_t i = 0; well && i < n->events; i++) {
        if (n->event[i]->sequence <= t->told && n->event[0]->sequence <= t->told)
            continue; /* the first try of this notice came so far */
        well = !snmp_is_told(n->event[i]) || inform(t, n->event[i], news);
        t->told = well ? n->event[i]->sequence : t->told;
    }
    if (well) {
        t->told = 0;
        return 0;
    }
    if (t->session != NULL)
        snmp_sess_close(t->session); /* a socket of its own for each try: its errors are not the next one's */
    t->session = NULL;
    return E_CLOSED;
}

static void trap_end(void *ctx) {
    struct trap *t = ctx;
    if (t->session != NULL)
        snmp_sess_close(t->session);
    free(t);
}

int snmp_trap_open(struct sink **out, const struct conf *conf, const struct addr *to, const char *folder,
                   uint32_t retry_ms, struct err *err) {
    struct trap *t = calloc(1, sizeof *t);
    char host[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 16];
    if (t == NULL)
        return err_set(err, E_NOMEM, "no memory for SNMP notifications");
    snmp_base_read(&t->base, conf->health.snmp.base_oid);
    addr_host_text(to, host);
    addr_text(to, t->address);
    (void)snprintf(t->peer, sizeof t->peer, addr_family(to) == AF_INET6 ? "udp6:[%s]:%u" : "udp:%s:%u", host,
                   addr_port(to));
    text_copy(t->node, sizeof t->node, conf->node.name);
    text_copy(t->community, sizeof t->community, conf->health.snmp.community);
    t->opened_ms = clock_mono_ms();
    (void)snprintf(name, sizeof name, "snmp %s", t->address);
    return sink_open(out,
                     &(struct sink_plan){.keep = 1,
                                         .retry_ms = retry_ms,
                                         .events = true,
                                         .events_anew = true,
                                         .no_reports = true,
                                         .folder = folder,
                                         .name = name},
                     deliver, trap_end, t, err);
}
