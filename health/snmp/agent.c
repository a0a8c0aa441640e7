/* The AgentX subagent. Two threads: the sink's, which parses and waits so long and no longer, and the one that speaks
 * to the master and may hang in it. Between them: the newest rows, the tale (tale.h), and whether there is a master. */
#include "health/snmp/impl.h"
#include "health/snmp/tale.h"

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

/* agentx-Notify-PDU, which net-snmp's public headers do not name. */
enum { AGENTX_NOTIFY = 12, AGENTX_ANSWER_S = 30, STALE_PUSHES = 3 };

struct fresh { /* rows on their way */
    struct rows *rows;
    int64_t mono_ms;
};
struct agent {
    struct aside *aside;
    struct snmp_base base;
    char socket[1100], node[SNMP_NODE];
    uint32_t push_ms;
    struct fresh *box; /* atomic */
    bool broken;       /* atomic: the library could not begin */
    bool connected;    /* atomic */
    int64_t turned_ms; /* atomic: when the speaking thread last was not in the library's hands */
    int64_t opened_ms;
    struct tale_box tales;
    /* the sink's thread's own */
    struct tale *sent; /* NULL: none is under way */
    uint64_t taken;    /* of this life: the last event that the master took */
    /* the speaking thread's own */
    netsnmp_session *master; /* the library's; NULL: not connected */
    struct tale *telling;
    int request; /* that the master has not answered yet */
    struct rows *shown;
    int64_t shown_ms;
    bool stale;
};

static void free_fresh(struct fresh *f) {
    if (f != NULL)
        rows_free(f->rows);
    free(f);
}

/* --- the speaking thread */

static void take_rows(struct agent *g) {
    struct fresh *f = __atomic_exchange_n(&g->box, NULL, __ATOMIC_ACQ_REL);
    if (f != NULL) {
        rows_free(g->shown);
        g->shown = f->rows;
        g->shown_ms = f->mono_ms;
        g->stale = false;
        f->rows = NULL;
        free_fresh(f);
    }
    if (g->shown == NULL || g->stale || clock_mono_ms() - g->shown_ms <= (int64_t)STALE_PUSHES * g->push_ms)
        return;
    struct rows *old = rows_stale(g->shown);
    if (old == NULL)
        return;
    rows_free(g->shown);
    g->shown = old;
    g->stale = true;
}

static void set_value(netsnmp_variable_list *v, const struct cell *c) {
    static const u_char types[] = {[CELL_TEXT] = ASN_OCTET_STR,
                                   [CELL_INTEGER] = ASN_INTEGER,
                                   [CELL_GAUGE] = ASN_GAUGE,
                                   [CELL_COUNTER32] = ASN_COUNTER,
                                   [CELL_COUNTER64] = ASN_COUNTER64};
    struct counter64 wide = {.high = (u_long)(c->number >> 32), .low = (u_long)(c->number & UINT32_MAX)};
    long narrow = (long)c->number;
    if (c->type == CELL_TEXT)
        (void)snmp_set_var_typed_value(v, types[c->type], c->text, strlen(c->text));
    else if (c->type == CELL_COUNTER64)
        (void)snmp_set_var_typed_value(v, types[c->type], &wide, sizeof wide);
    else
        (void)snmp_set_var_typed_value(v, types[c->type], &narrow, sizeof narrow);
}

static void answer(const struct agent *g, netsnmp_agent_request_info *how, netsnmp_request_info *r) {
    netsnmp_variable_list *v = r->requestvb;
    bool next = how->mode == MODE_GETNEXT;
    size_t base = g->base.count;
    int order = snmp_oid_compare(v->name, v->name_length < base ? v->name_length : base, g->base.at, base);
    const struct cell *c = NULL;
    if (order == 0 && g->shown != NULL)
        c = rows_find(g->shown, v->name + base, v->name_length - base, next);
    else if (order < 0 && next && g->shown != NULL)
        c = rows_find(g->shown, NULL, 0, true);
    if (c == NULL) {
        if (!next)
            (void)netsnmp_set_request_error(how, r, SNMP_NOSUCHINSTANCE);
        return;
    }
    if (next) {
        oid name[MAX_OID_LEN];
        memcpy(name, g->base.at, base * sizeof *name);
        cell_oid(c, name + base);
        (void)snmp_set_var_objid(v, name, base + ROWS_OID);
    }
    set_value(v, c);
}

static int handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *reg, netsnmp_agent_request_info *how,
                  netsnmp_request_info *requests) {
    struct agent *g = handler->myvoid;
    (void)reg;
    if (how->mode != MODE_GET && how->mode != MODE_GETNEXT)
        return SNMP_ERR_GENERR; /* nothing can be set: registered so */
    for (netsnmp_request_info *r = requests; r != NULL; r = r->next)
        if (r->processed == 0)
            answer(g, how, r);
    return SNMP_ERR_NOERROR;
}

/* --- transitions: one Notify at a time, the next one when the master has answered (RFC 2741, 7.1.11 and 7.2.4) */

static void tale_over(struct agent *g, int rc, const char *why) {
    struct tale *t = g->telling;
    g->telling = NULL;
    if (t != NULL)
        tale_end(&g->tales, t, rc, why);
}

static void tell_next(struct agent *g);

static int on_answer(int op, netsnmp_session *s, int request, netsnmp_pdu *answer, void *ctx) {
    struct agent *g = ctx;
    (void)s;
    if (g->telling == NULL || request != g->request || op == NETSNMP_CALLBACK_OP_RESEND)
        return 1; /* of one that was given up */
    if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || answer == NULL) {
        tale_over(g, E_TIMEOUT, "the master agent has not answered a notification");
    } else if (answer->errstat != 0) {
        char why[80];
        (void)snprintf(why, sizeof why, "the master agent refuses a notification: error %ld", answer->errstat);
        tale_over(g, E_DENIED, why);
    } else {
        tale_told(&g->tales, g->telling);
        tell_next(g);
    }
    return 1;
}

static void tell_next(struct agent *g) {
    const struct event *e = tale_next(g->telling);
    if (e == NULL) {
        tale_over(g, 0, "");
        return;
    }
    netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_NOTIFY);
    if (pdu != NULL) {
        pdu->sessid = g->master->sessid;
        pdu->variables = snmp_varbinds(&g->base, g->node, e, (u_long)(clock_mono_ms() - g->opened_ms) / 10);
        /* Sent once: the library's ping finds out sooner that nobody is there, and then all of it comes again. */
        pdu->flags |= UCD_MSG_FLAG_PDU_TIMEOUT;
        pdu->time = AGENTX_ANSWER_S;
    }
    g->request = pdu != NULL ? (int)pdu->reqid : 0;
    if (pdu != NULL && pdu->variables != NULL && snmp_async_send(g->master, pdu, on_answer, g) != 0)
        return;
    snmp_free_pdu(pdu);
    tale_over(g, E_CLOSED, "a notification could not be sent to the master agent");
}

static void tell_master(struct agent *g) {
    if (g->master == NULL || g->telling != NULL)
        return;
    g->telling = tale_take(&g->tales);
    if (g->telling != NULL)
        tell_next(g);
}

static int on_link(int major, int minor, void *server, void *ctx) {
    struct agent *g = ctx;
    (void)major;
    g->master = minor == SNMPD_CALLBACK_INDEX_START ? server : NULL;
    if (g->master == NULL)
        tale_over(g, E_CLOSED, "the master agent went while it was told");
    __atomic_store_n(&g->connected, g->master != NULL, __ATOMIC_RELEASE);
    return 0;
}

/* Its return ends agent_check_and_process: then what lies in the boxes is looked at. */
static void on_turn(unsigned int id, void *ctx) {
    (void)id;
    (void)ctx;
}

static bool begin(struct agent *g) {
    struct timeval turn = {.tv_usec = SNMP_TURN_US};
    snmp_enter();
    netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_ROLE, 1);
    netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, g->socket);
    (void)snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START, on_link, g);
    (void)snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, on_link, g);
    bool well = init_agent("candor") == 0;
    /* Behind it: it sets what it thinks best. */
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, SNMP_PING_S);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_TIMEOUT, SNMP_WAIT_US);
    netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_RETRIES, SNMP_RETRIES);
    netsnmp_handler_registration *reg =
        well ? netsnmp_create_handler_registration("candor", handle, g->base.at, g->base.count, HANDLER_CAN_RONLY)
             : NULL;
    if (reg != NULL) {
        reg->handler->myvoid = g;
        well = netsnmp_register_handler(reg) == MIB_REGISTERED_OK;
    }
    init_snmp("candor");
    (void)snmp_alarm_register_hr(turn, SA_REPEAT, on_turn, NULL);
    snmp_leave();
    return well && reg != NULL;
}

static void work(struct aside *a, void *ctx) {
    struct agent *g = ctx;
    if (!begin(g)) {
        __atomic_store_n(&g->broken, true, __ATOMIC_RELEASE);
        return;
    }
    while (!aside_is_closing(a)) {
        __atomic_store_n(&g->turned_ms, clock_mono_ms(), __ATOMIC_RELEASE);
        take_rows(g);
        tell_master(g);
        (void)agent_check_and_process(1);
    }
}

static void agent_free(void *ctx) {
    struct agent *g = ctx;
    free_fresh(g->box);
    tale_drop(&g->tales, g->sent);
    tale_drop(&g->tales, g->telling);
    tale_box_close(&g->tales);
    rows_free(g->shown);
    free(g);
}

/* --- the sink's thread */

static bool give_rows(struct agent *g, const struct detail *d) {
    struct fresh *f = calloc(1, sizeof *f);
    if (f == NULL)
        return false;
    f->mono_ms = clock_mono_ms();
    f->rows = rows_of_detail(d->json, d->size);
    if (f->rows == NULL) {
        free(f);
        return false;
    }
    free_fresh(__atomic_exchange_n(&g->box, f, __ATOMIC_ACQ_REL));
    return true;
}

/* 0: the master has taken all that is told. What it has not answered yet is on its way still, or comes again. */
static int tell(struct agent *g, const struct notice *n, struct sink_news *news) {
    int rc = 0;
    if (n->events == 0)
        return 0;
    if (n->event[n->events - 1]->sequence < g->taken)
        g->taken = 0; /* the ledger was begun anew */
    while (rc == 0) {
        if (g->sent == NULL) {
            if (tale_make(&g->sent, n, g->taken) < 0) {
                text_copy(news->trouble, sizeof news->trouble, "no memory for notifications");
                return E_NOMEM;
            }
            if (g->sent == NULL)
                return 0; /* all of them are taken */
            tale_give(&g->tales, g->sent);
        }
        rc = tale_wait(&g->tales, g->sent, SNMP_HANGS_MS, &g->taken, news->trouble, sizeof news->trouble);
        if (rc == E_AGAIN)
            break; /* the next try asks what has become of it */
        tale_drop(&g->tales, g->sent);
        g->sent = NULL;
    }
    return rc;
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct agent *g = ctx;
    if (n->detail != NULL && !give_rows(g, n->detail)) {
        text_copy(news->trouble, sizeof news->trouble, "no tables could be made of the detail");
        return E_NOMEM;
    }
    if (__atomic_load_n(&g->broken, __ATOMIC_ACQUIRE)) {
        text_copy(news->trouble, sizeof news->trouble, "the agent's library could not begin");
        return E_CLOSED;
    }
    if (!__atomic_load_n(&g->connected, __ATOMIC_ACQUIRE)) {
        (void)snprintf(news->trouble, sizeof news->trouble, "no master agent at %.120s", g->socket);
        return E_CLOSED;
    }
    if (clock_mono_ms() - __atomic_load_n(&g->turned_ms, __ATOMIC_ACQUIRE) > SNMP_HANGS_MS) {
        (void)snprintf(news->trouble, sizeof news->trouble, "no master agent answers at %.110s", g->socket);
        return E_CLOSED;
    }
    return tell(g, n, news);
}

static void sink_end(void *ctx) {
    struct agent *g = ctx;
    aside_close(g->aside, 0); /* frees it when the speaking thread has let go, too */
}

int snmp_agent_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t push_ms, struct err *err) {
    struct agent *g = calloc(1, sizeof *g);
    struct aside *a;
    if (g == NULL)
        return err_set(err, E_NOMEM, "no memory for the SNMP agent");
    int rc = tale_box_open(&g->tales, err);
    if (rc < 0) {
        free(g);
        return rc;
    }
    snmp_base_read(&g->base, conf->health.snmp.base_oid);
    (void)snprintf(g->socket, sizeof g->socket, "unix:%.1024s", conf->health.snmp.agentx);
    text_copy(g->node, sizeof g->node, conf->node.name);
    g->push_ms = push_ms;
    g->opened_ms = clock_mono_ms();
    rc = aside_open(&a, work, agent_free, g, err);
    if (rc < 0)
        return rc;
    g->aside = a;
    return sink_open(out,
                     &(struct sink_plan){.keep = 1,
                                         .retry_ms = push_ms / 3,
                                         .events = true,
                                         .events_anew = true,
                                         .no_reports = true,
                                         .folder = folder,
                                         .name = "agentx"},
                     deliver, sink_end, g, err);
}
