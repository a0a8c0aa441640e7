/* The AgentX subagent. Two threads: the sink's, which parses and may wait for nobody, and the one that speaks to the
 * master and may hang in it. Between them: the newest rows, what is to be told, and whether there is a master. */
#include "health/snmp/impl.h"

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { TOLD_MAX = 1024, STALE_PUSHES = 3 };

struct fresh { /* rows on their way */
    struct rows *rows;
    int64_t mono_ms;
};
struct told {
    struct event event;
    struct told *next;
};

struct agent {
    struct aside *aside;
    struct snmp_base base;
    char socket[1100], node[SNMP_NODE];
    uint32_t push_ms;
    struct fresh *box;  /* atomic */
    struct told *tell;  /* atomic: the newest first */
    unsigned tell_size; /* atomic */
    bool connected;     /* atomic */
    int64_t turned_ms;  /* atomic: when the speaking thread last was not in the library's hands */
    int64_t opened_ms;
    /* the speaking thread's own */
    struct rows *shown;
    int64_t shown_ms;
    bool stale;
};

static void free_told(struct told *t) {
    while (t != NULL) {
        struct told *next = t->next;
        free(t);
        t = next;
    }
}

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

static int on_link(int major, int minor, void *server, void *ctx) {
    struct agent *g = ctx;
    (void)major;
    (void)server;
    __atomic_store_n(&g->connected, minor == SNMPD_CALLBACK_INDEX_START, __ATOMIC_RELEASE);
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

static void tell_master(struct agent *g) {
    struct told *list = __atomic_exchange_n(&g->tell, NULL, __ATOMIC_ACQ_REL), *turned = NULL;
    while (list != NULL) {
        struct told *next = list->next;
        list->next = turned;
        turned = list;
        list = next;
    }
    for (const struct told *t = turned; t != NULL; t = t->next) {
        netsnmp_variable_list *v =
            snmp_varbinds(&g->base, g->node, &t->event, (u_long)(clock_mono_ms() - g->opened_ms) / 10);
        __atomic_fetch_sub(&g->tell_size, 1, __ATOMIC_RELAXED);
        if (v != NULL) {
            send_v2trap(v);
            snmp_free_varbind(v);
        }
    }
    free_told(turned);
}

static void work(struct aside *a, void *ctx) {
    struct agent *g = ctx;
    if (!begin(g))
        return;
    while (!aside_is_closing(a)) {
        __atomic_store_n(&g->turned_ms, clock_mono_ms(), __ATOMIC_RELEASE);
        take_rows(g);
        if (__atomic_load_n(&g->connected, __ATOMIC_ACQUIRE))
            tell_master(g);
        (void)agent_check_and_process(1);
    }
}

static void agent_free(void *ctx) {
    struct agent *g = ctx;
    free_fresh(g->box);
    free_told(g->tell);
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

static void give_event(struct agent *g, const struct event *e) {
    struct told *t = calloc(1, sizeof *t);
    if (t == NULL)
        return;
    t->event = *e;
    t->next = __atomic_load_n(&g->tell, __ATOMIC_ACQUIRE);
    while (!__atomic_compare_exchange_n(&g->tell, &t->next, t, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        ;
    __atomic_fetch_add(&g->tell_size, 1, __ATOMIC_RELAXED);
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct agent *g = ctx;
    if (n->detail != NULL && !give_rows(g, n->detail)) {
        text_copy(news->trouble, sizeof news->trouble, "no memory for the tables");
        return E_NOMEM;
    }
    if (!__atomic_load_n(&g->connected, __ATOMIC_ACQUIRE)) {
        (void)snprintf(news->trouble, sizeof news->trouble, "no master agent at %.120s", g->socket);
        return E_CLOSED;
    }
    if (clock_mono_ms() - __atomic_load_n(&g->turned_ms, __ATOMIC_ACQUIRE) > SNMP_HANGS_MS) {
        (void)snprintf(news->trouble, sizeof news->trouble, "no master agent answers at %.110s", g->socket);
        return E_CLOSED;
    }
    if (__atomic_load_n(&g->tell_size, __ATOMIC_RELAXED) > TOLD_MAX) {
        text_copy(news->trouble, sizeof news->trouble, "the master agent takes no notifications");
        return E_FULL;
    }
    for (size_t i = 0; i < n->events; i++)
        if (snmp_is_told(n->event[i]))
            give_event(g, n->event[i]);
    return 0;
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
    snmp_prepare();
    snmp_base_read(&g->base, conf->health.snmp.base_oid);
    (void)snprintf(g->socket, sizeof g->socket, "unix:%.1024s", conf->health.snmp.agentx);
    text_copy(g->node, sizeof g->node, conf->node.name);
    g->push_ms = push_ms;
    g->opened_ms = clock_mono_ms();
    int rc = aside_open(&a, work, agent_free, g, err);
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
