#include "health/report/syslog.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/clock.h"

enum { SEVERITY_ERROR = 3, SEVERITY_WARNING = 4, SEVERITY_NOTICE = 5, STAMP_MAX = 40, SENT_NONE = 0 };
static const int64_t latest_wall_ms = 253402300799000; /* of year 9999, as RFC 3339 writes it */

struct syslog_sink {
    struct conf_syslog to; /* its texts belong to the configuration */
    const char *node;
    uint64_t begun, sent; /* of a notice that went in part: numbers of its first event, and of the last that went */
};

struct put {
    char *at;
    size_t size, cap;
};

/* Printable ASCII alone; `quoted`: a value of RFC 5424 section 6.3.3; `word`: no blank either. */
enum put_as { AS_TEXT, AS_VALUE, AS_WORD };

static void put(struct put *p, const char *text, enum put_as as) {
    for (; *text != '\0' && p->size + 2 < p->cap; text++) {
        bool fits = *text > ' ' && *text < 0x7f;
        if (as == AS_VALUE && (*text == '"' || *text == '\\' || *text == ']'))
            p->at[p->size++] = '\\';
        p->at[p->size++] = fits ? *text : *text == ' ' && as != AS_WORD ? ' ' : '?';
    }
    p->at[p->size] = '\0';
}

static void param(struct put *p, const char *name, const char *value) {
    put(p, " ", AS_TEXT);
    put(p, name, AS_TEXT);
    put(p, "=\"", AS_TEXT);
    put(p, value, AS_VALUE);
    put(p, "\"", AS_TEXT);
}

static void param_number(struct put *p, const char *name, uint64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    param(p, name, text);
}

static const char *stamp(int64_t wall_ms, char to[STAMP_MAX]) {
    struct tm tm;
    wall_ms = wall_ms < 0 ? 0 : wall_ms > latest_wall_ms ? latest_wall_ms : wall_ms;
    time_t s = (time_t)(wall_ms / 1000);
    if (gmtime_r(&s, &tm) == NULL)
        return "-";
    size_t n = strftime(to, STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(to + n, STAMP_MAX - n, ".%03dZ", (int)(wall_ms % 1000));
    return to;
}

static const char *state_of(uint8_t s) { return s < VERDICT_STATES ? verdict_state_name((enum verdict_state)s) : ""; }

static const char *scope_of(uint8_t s) { return s < SCOPE_COUNT ? verdict_scope_name((enum verdict_scope)s) : ""; }

static int severity(const struct event *e) {
    if (e->kind == EVENT_START || e->to == VERDICT_PASS)
        return SEVERITY_NOTICE;
    return e->to == VERDICT_WARN ? SEVERITY_WARNING : SEVERITY_ERROR;
}

static void put_data(struct put *p, const struct event *e, const char *node, const char *at, uint64_t lost) {
    char boot[24];
    bool start = e->kind == EVENT_START;
    (void)snprintf(boot, sizeof boot, "%016llx", (unsigned long long)e->boot);
    put(p, "[candor@8072.9999.9999", AS_TEXT);
    param(p, "node", node);
    if (at != NULL)
        param(p, "at", at);
    param_number(p, "event", e->sequence);
    param(p, "boot", boot);
    param(p, "kind", event_kind_name((enum event_kind)e->kind));
    param(p, "scope", start ? "" : scope_of(e->scope));
    param(p, "what", e->what);
    param(p, "from", start ? "" : state_of(e->from));
    param(p, "to", start ? "" : state_of(e->to));
    if (lost > 0)
        param_number(p, "lost", lost);
    put(p, "] ", AS_TEXT);
}

static void put_words(struct put *p, const struct event *e) {
    if (e->kind == EVENT_START) {
        put(p, "started", AS_TEXT);
    } else {
        put(p, e->what[0] != '\0' ? e->what : scope_of(e->scope), AS_TEXT);
        put(p, ": ", AS_TEXT);
        put(p, state_of(e->from), AS_TEXT);
        put(p, " -> ", AS_TEXT);
        put(p, state_of(e->to), AS_TEXT);
    }
    put(p, e->cause[0] != '\0' ? ": " : "", AS_TEXT);
    put(p, e->cause, AS_TEXT);
}

size_t syslog_message(const struct event *e, const char *node, const struct conf_syslog *to, int pid, uint64_t lost,
                      char text[SYSLOG_MESSAGE_MAX]) {
    struct put p = {.at = text, .cap = SYSLOG_MESSAGE_MAX};
    char head[96], at[STAMP_MAX];
    unsigned priority = to->facility * 8 + (unsigned)severity(e);
    const char *when = stamp(e->wall_ms, at);
    if (to->has_address) {
        (void)snprintf(head, sizeof head, "<%u>1 %s ", priority, when);
        put(&p, head, AS_TEXT);
        put(&p, node[0] != '\0' ? node : "-", AS_WORD);
        (void)snprintf(head, sizeof head, " candor-health %d %s ", pid, event_kind_name((enum event_kind)e->kind));
    } else {
        (void)snprintf(head, sizeof head, "<%u>candor-health[%d]: ", priority, pid);
    }
    put(&p, head, AS_TEXT);
    put_data(&p, e, node, to->has_address ? NULL : when, lost);
    put_words(&p, e);
    return p.size;
}

static void trouble(struct sink_news *news, const char *what) {
    (void)snprintf(news->trouble, sizeof news->trouble, "%.90s: %.60s", what, strerror(errno));
}

/* A new one for each notice: whoever was restarted is found again. Connecting asks whether somebody is there. */
static int connected(const struct syslog_sink *s, struct sink_news *news) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    char address[ADDR_TEXT_MAX];
    const char *name = s->to.has_address ? addr_text(&s->to.address, address) : s->to.socket;
    text_copy(local.sun_path, sizeof local.sun_path, s->to.has_address ? "" : s->to.socket);
    int fd =
        socket(s->to.has_address ? addr_family(&s->to.address) : AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0              ? -1
             : s->to.has_address ? connect(fd, &s->to.address.sa, addr_len(&s->to.address))
                                 : connect(fd, (struct sockaddr *)&local, sizeof local);
    if (rc != 0) {
        trouble(news, name);
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    return fd;
}

/* Whether an error came back for what was sent. */
static bool went(const struct syslog_sink *s, int fd, struct sink_news *news) {
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd p = {.fd = fd, .events = 0};
    if (!s->to.has_address || poll(&p, 1, SYSLOG_LISTEN_MS) <= 0)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
        return true;
    errno = error;
    trouble(news, "what was sent came back");
    return false;
}

static bool is_told(const struct event *e) { return e->kind != EVENT_DOUBT; }

/* All, or up to the first that was not taken. */
static bool send_all(struct syslog_sink *s, int fd, const struct notice *n, struct sink_news *news) {
    char text[SYSLOG_MESSAGE_MAX];
    bool again = n->event[0]->sequence == s->begun;
    s->begun = n->event[0]->sequence;
    s->sent = again ? s->sent : SENT_NONE;
    for (size_t i = 0; i < n->events; i++) {
        const struct event *e = n->event[i];
        if (e->sequence <= s->sent)
            continue;
        size_t size = syslog_message(e, s->node, &s->to, (int)getpid(), i == 0 ? n->events_lost : 0, text);
        if (is_told(e) && send(fd, text, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            trouble(news, "a message was not taken");
            s->sent = s->to.has_address ? SENT_NONE : s->sent; /* there it tells of one that went before */
            return false;
        }
        s->sent = e->sequence;
    }
    return true;
}

static int deliver(void *ctx, const struct notice *n, struct sink_news *news) {
    struct syslog_sink *s = ctx;
    int fd = connected(s, news);
    if (fd < 0)
        return E_CLOSED;
    bool well = n->events == 0 || send_all(s, fd, n, news);
    if (n->events > 0 && !went(s, fd, news)) {
        s->sent = SENT_NONE;
        well = false;
    }
    if (well)
        s->begun = s->sent = SENT_NONE;
    (void)close(fd);
    return well ? 0 : E_CLOSED;
}

int syslog_open(struct sink **out, const struct conf *conf, const char *folder, uint32_t retry_ms, struct err *err) {
    const struct conf_syslog *to = &conf->health.syslog;
    char name[ADDR_TEXT_MAX + 8] = "syslog", address[ADDR_TEXT_MAX];
    if (!to->has_address && strlen(to->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return err_set(err, E_RANGE, "%.100s: too long for the path of a socket", to->socket);
    struct syslog_sink *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for syslog");
    s->to = *to;
    s->node = conf->node.name;
    if (to->has_address)
        (void)snprintf(name, sizeof name, "syslog %s", addr_text(&to->address, address));
    struct sink_plan plan = {.keep = 1,
                             .retry_ms = retry_ms,
                             .events = true,
                             .events_anew = true,
                             .no_reports = true,
                             .folder = folder,
                             .name = name};
    return sink_open(out, &plan, deliver, free, s, err);
}
