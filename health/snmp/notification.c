#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "health/snmp/impl.h"
#include "resolver/base/bytes.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void snmp_enter(void) { (void)pthread_mutex_lock(&gate); }

void snmp_leave(void) { (void)pthread_mutex_unlock(&gate); }

void snmp_prepare(const struct conf *conf) {
    if (conf->health.snmp.agentx[0] == '\0' && conf->health.snmp.traps.count == 0)
        return;
    /* net-snmp looks for MIB files wherever these do not say that there are none. */
    (void)setenv("MIBS", "", 1);
    (void)setenv("MIBDIRS", "", 1);
    (void)unsetenv("MIBFILES");
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG, 1);
    netsnmp_register_loghandler(NETSNMP_LOGHANDLER_NONE, LOG_DEBUG);
}

void snmp_base_read(struct snmp_base *b, const char *text) {
    char *end = NULL;
    b->count = 0;
    while (*text >= '0' && *text <= '9' && b->count < MAX_OID_LEN - ROWS_OID) {
        b->at[b->count++] = strtoul(text, &end, 10);
        text = *end == '.' ? end + 1 : end;
    }
}

bool snmp_is_told(const struct event *e) { return e->kind == EVENT_SCOPE || e->kind == EVENT_START; }

struct maker {
    netsnmp_variable_list *list;
    const struct snmp_base *base;
    bool failed;
};

static void put(struct maker *m, const oid *name, size_t count, u_char type, const void *value, size_t size) {
    m->failed |= snmp_varlist_add_variable(&m->list, name, count, type, value, size) == NULL;
}

/* base . 1 . object . 0 */
static void put_object(struct maker *m, unsigned object, u_char type, const void *value, size_t size) {
    oid name[MAX_OID_LEN];
    size_t count = m->base->count;
    memcpy(name, m->base->at, count * sizeof *name);
    name[count++] = 1;
    name[count++] = object;
    name[count++] = 0;
    put(m, name, count, type, value, size);
}

static void put_text(struct maker *m, unsigned object, const char *text) {
    size_t size = strlen(text);
    put_object(m, object, ASN_OCTET_STR, text, size < ROWS_TEXT_MAX ? size : ROWS_TEXT_MAX);
}

static void put_state(struct maker *m, unsigned object, uint8_t state) {
    long n = (state < VERDICT_STATES ? state : VERDICT_UNKNOWN) + 1;
    put_object(m, object, ASN_INTEGER, &n, sizeof n);
}

netsnmp_variable_list *snmp_varbinds(const struct snmp_base *b, const char *node, const struct event *e,
                                     u_long uptime) {
    static const oid sys_up_time[] = {1, 3, 6, 1, 2, 1, 1, 3, 0}, trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
    struct maker m = {.base = b};
    u_long number = (u_long)(e->sequence & UINT32_MAX);
    u_long moment = e->wall_ms > 0 ? (u_long)(e->wall_ms / 1000) : 0;
    bool scope = e->kind == EVENT_SCOPE;
    oid kind[MAX_OID_LEN];
    memcpy(kind, b->at, b->count * sizeof *kind);
    kind[b->count] = 0;
    kind[b->count + 1] = scope ? 1 : 2;
    put(&m, sys_up_time, ARRAY_SIZE(sys_up_time), ASN_TIMETICKS, &uptime, sizeof uptime);
    put(&m, trap_oid, ARRAY_SIZE(trap_oid), ASN_OBJECT_ID, kind, (b->count + 2) * sizeof *kind);
    put_object(&m, 9, ASN_GAUGE, &number, sizeof number);
    put_text(&m, 10, node);
    if (scope) {
        put_text(&m, 11, e->scope < SCOPE_COUNT ? verdict_scope_name((enum verdict_scope)e->scope) : "");
        put_state(&m, 12, e->from);
        put_state(&m, 13, e->to);
    }
    put_object(&m, 14, ASN_GAUGE, &moment, sizeof moment);
    put_text(&m, 15, e->cause);
    if (!m.failed)
        return m.list;
    snmp_free_varbind(m.list);
    return NULL;
}
