/* health.monitor: where other nodes' state comes in, is kept, and who is told. */
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_raw_health.h"

enum { SMTP_PORT = 25 };

/* LOCAL@DOMAIN without what could end an SMTP command or a header: visible ASCII, one @, no brackets. */
static bool mailbox_fits(const char *text) {
    size_t at = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c >= 0x7f || strchr("<>,;:\"\\()[]", *c) != NULL)
            return false;
        at += *c == '@';
    }
    return at == 1 && text[0] != '@' && text[strlen(text) - 1] != '@';
}

static void monitor_listen(struct conf_reader *r, const struct conf_raw_monitor *in, struct conf_health *out) {
    struct conf_monitor_listen *list = conf_array(r, in->listen_count, sizeof(*list));
    conf_enter(r, "listen");
    for (size_t i = 0; i < in->listen_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        list[i].has_datagram = conf_given(r, "datagram");
        list[i].has_https = conf_given(r, "https");
        conf_take_addr(r, "datagram", in->listen[i].datagram, 0, &list[i].datagram);
        conf_take_addr(r, "https", in->listen[i].https, 0, &list[i].https);
        if (!list[i].has_datagram && !list[i].has_https)
            conf_fail(r, E_INVALID, NULL, "datagram: ADDRESS@PORT, https: ADDRESS@PORT or both");
        conf_leave(r);
    }
    conf_leave(r);
    out->monitor.listen = list;
    out->monitor.listen_count = in->listen_count;
}

static void smtp(struct conf_reader *r, const struct conf_raw_smtp *in, struct conf_smtp *out) {
    conf_take_addr(r, "address", in->address, SMTP_PORT, &out->address);
    if (!conf_given(r, "address"))
        conf_fail(r, E_INVALID, "address", "ADDRESS@PORT");
    out->tls_name = conf_take_tls_name(r, "tls-name", in->tls_name);
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->from = conf_take_text(r, "from", in->from, "");
    out->user = conf_take_text(r, "user", in->user, "");
    out->password_file = conf_take_path(r, "password-file", in->password_file, "");
    out->to = conf_take_texts(r, "to", in->to);
    if (!mailbox_fits(out->from))
        conf_fail(r, E_INVALID, "from", "a mailbox such as candor@example.org");
    for (size_t i = 0; i < out->to.count && r->rc == E_OK; i++)
        if (!mailbox_fits(out->to.at[i]))
            conf_fail(r, E_INVALID, "to", "mailboxes such as postmaster@example.org");
    if (out->to.count == 0)
        conf_fail(r, E_INVALID, "to", "at least one mailbox");
    if (out->user[0] != '\0' && out->tls_name[0] == '\0')
        conf_fail(r, E_INVALID, "user", "tls-name as well: a password does not travel in the clear");
}

static void alert(struct conf_reader *r, const struct conf_raw_alert *in, struct conf_alert *out) {
    conf_enter(r, "alert");
    out->alertmanager =
        conf_fill_sinks(r, "alertmanager", in->alertmanager, in->alertmanager_count, CONF_SINK_ALERTMANAGER);
    out->alertmanager_count = in->alertmanager_count;
    out->webhook = conf_fill_sinks(r, "webhook", in->webhook, in->webhook_count, CONF_SINK_WEBHOOK);
    out->webhook_count = in->webhook_count;
    out->exec = conf_take_text(r, "exec", in->exec, "");
    out->smtp = conf_array(r, in->smtp_count, sizeof(*out->smtp));
    out->smtp_count = in->smtp_count;
    conf_enter(r, "smtp");
    for (size_t i = 0; i < in->smtp_count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        smtp(r, &in->smtp[i], &out->smtp[i]);
        conf_leave(r);
    }
    conf_leave(r);
    out->wait_ms = conf_take_ms(r, "wait", in->wait, 5000, 100, 300000);
    out->again_s = conf_take_s(r, "again", in->again, 4 * 3600, 60, 7 * 86400);
    conf_leave(r);
}

static void store(struct conf_reader *r, const struct conf_raw_store *in, struct conf_store *out) {
    conf_enter(r, "store");
    out->path = conf_take_path(r, "path", in->path, "");
    out->keep_s = conf_take_s(r, "keep", in->keep, 30 * 86400, 3600, 3650U * 86400);
    conf_leave(r);
}

void conf_fill_monitor(struct conf_reader *r, const struct conf_raw_monitor *in, struct conf_health *out) {
    conf_enter(r, "monitor");
    out->monitor.enabled = conf_take_bool(r, "enabled", in->enabled, false);
    monitor_listen(r, in, out);
    conf_fill_tls(r, "tls", CONF_RAW_OR_EMPTY(in->tls), &out->monitor.tls);
    conf_fill_peers(r, "nodes", in->nodes, in->node_count, &out->monitor.nodes);
    out->monitor.node_count = in->node_count;
    out->monitor.dead_man = conf_fill_sinks(r, "dead-man", in->dead_man, in->dead_man_count, CONF_SINK_DEAD_MAN);
    out->monitor.dead_man_count = in->dead_man_count;
    store(r, CONF_RAW_OR_EMPTY(in->store), &out->monitor.store);
    alert(r, CONF_RAW_OR_EMPTY(in->alert), &out->monitor.alert);
    conf_leave(r);
}
