#include "health/monitor/https_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/monitor/https_impl.h"
#include "resolver/base/clock.h"
#include "resolver/net/socket.h"

enum { IDLE_S = 10, MEMORY = 32 << 10, LIFE_LEAST_MS = 3000, LIFE_MOST_MS = 60000 };

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

const char *https_in_refusal_name(enum https_in_refusal r) {
    static const char *const names[HTTPS_IN_REFUSALS] = {"key", "time", "node", "form", "busy", "slow"};
    return r < HTTPS_IN_REFUSALS ? names[r] : "?";
}

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, const char *text) {
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (r == NULL)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *why) {
    return reply(c, status, "text/plain; charset=utf-8", why);
}

static struct https_line *line_of(struct MHD_Connection *c) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void line_waits(struct https_in *h, struct https_line *l, bool waits) {
    if (l == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    l->waiting = waits;
    l->since_ms = clock_mono_ms();
    pthread_mutex_unlock(&h->lock);
}

/* On the archive's thread. Behind `ended` the request may go at any moment. */
static void kept(void *ctx, int code) {
    struct https_post *p = ctx;
    struct MHD_Connection *c = p->connection;
    p->code = code;
    __atomic_store_n(&p->ended, true, __ATOMIC_RELEASE);
    MHD_resume_connection(c);
}

static enum MHD_Result begin(struct https_in *h, struct MHD_Connection *c, const char *url, const char *method,
                             void **request) {
    const char *why = "POST /report\n";
    unsigned status = strcmp(url, "/report") != 0                 ? MHD_HTTP_NOT_FOUND
                      : strcmp(method, MHD_HTTP_METHOD_POST) != 0 ? MHD_HTTP_METHOD_NOT_ALLOWED
                                                                  : 0;
    struct https_post *p = calloc(1, sizeof *p);
    if (p == NULL)
        return MHD_NO;
    *p = (struct https_post){.h = h, .connection = c, .line = line_of(c)};
    *request = p;
    if (status == 0)
        status = https_post_begin(p, &why);
    return status == 0 ? MHD_YES : say(c, status, why);
}

static enum MHD_Result finish(struct https_post *p) {
    char text[512];
    line_waits(p->h, p->line, false);
    if (p->status != 0)
        return say(p->connection, p->status, p->why);
    if (p->code < 0) {
        (void)https_refuse(p->h, HTTPS_IN_BUSY, 0);
        return say(p->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "nothing can be kept now\n");
    }
    if (https_post_answer(p, text, sizeof text) == 0)
        return MHD_NO;
    return reply(p->connection, MHD_HTTP_OK, "application/json", text);
}

/* The whole body is there: it waits for the disk, and its connection with it. Refused or kept, the answer is given
 * when it goes on. */
static enum MHD_Result take(struct https_post *p) {
    p->asked = true;
    line_waits(p->h, p->line, true);
    MHD_suspend_connection(p->connection);
    unsigned status = https_post_end(p, kept);
    if (status == 0)
        return MHD_YES; /* `p` is kept()'s now */
    p->status = status;
    __atomic_store_n(&p->ended, true, __ATOMIC_RELEASE);
    MHD_resume_connection(p->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request) {
    struct https_post *p = *request;
    (void)version;
    if (p == NULL)
        return begin(cls, c, url, method, request);
    if (*size > 0) {
        if (p->body == NULL || *size > p->length - p->size)
            return MHD_NO;
        memcpy(p->body + p->size, data, *size);
        p->size += *size;
        *size = 0;
        return MHD_YES;
    }
    if (__atomic_load_n(&p->ended, __ATOMIC_ACQUIRE))
        return finish(p);
    return p->asked ? MHD_YES : take(p);
}

static void on_end(void *cls, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode code) {
    struct https_post *p = *request;
    (void)cls;
    (void)c;
    (void)code;
    if (p == NULL)
        return;
    __atomic_fetch_sub(&p->h->bytes, p->length, __ATOMIC_RELAXED);
    free(p->body);
    free(p);
    *request = NULL;
}

static void on_line(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code) {
    struct https_in *h = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct https_line *l = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        if (info == NULL || (l = calloc(1, sizeof *l)) == NULL)
            return;
        *l = (struct https_line){.fd = info->connect_fd, .since_ms = clock_mono_ms()};
        *context = l;
        pthread_mutex_lock(&h->lock);
        l->next = h->lines;
        if (l->next != NULL)
            l->next->prev = l;
        h->lines = l;
        pthread_mutex_unlock(&h->lock);
    } else if (l != NULL) {
        pthread_mutex_lock(&h->lock);
        if (l->prev != NULL)
            l->prev->next = l->next;
        else
            h->lines = l->next;
        if (l->next != NULL)
            l->next->prev = l->prev;
        pthread_mutex_unlock(&h->lock);
        free(l);
        *context = NULL;
    }
}

void https_in_tick(struct https_in *h) {
    int64_t now = clock_mono_ms();
    if (h == NULL || pthread_mutex_trylock(&h->lock) != 0)
        return; /* the next time will do */
    for (struct https_line *l = h->lines; l != NULL; l = l->next)
        if (!l->waiting && now - l->since_ms > h->life_ms) {
            (void)shutdown(l->fd, SHUT_RDWR);
            l->since_ms = now;
            (void)https_refuse(h, HTTPS_IN_SLOW, 0);
        }
    pthread_mutex_unlock(&h->lock);
}

static int daemon_open(struct https_in *h, const struct addr *a, struct err *err) {
    char text[ADDR_TEXT_MAX];
    int fd = socket_tcp(a, false, err);
    if (fd < 0)
        return err_prefix(err, "health.monitor.listen %s", addr_text(a, text));
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME;
    if (addr_family(a) == AF_INET6)
        flags |= MHD_USE_IPv6;
    struct MHD_Daemon *d = MHD_start_daemon(
        flags, addr_port(a), NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_CERT_CALLBACK,
        certificate_retrieve(), MHD_OPTION_HTTPS_PRIORITIES, priorities, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTPS_IN_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HTTPS_IN_PER_ADDRESS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_line, h, MHD_OPTION_END);
    if (d == NULL) {
        (void)close(fd);
        return err_set(err, E_SYSTEM, "health.monitor.listen %s: the HTTPS server does not start", addr_text(a, text));
    }
    h->daemon[h->daemons++] = d;
    return 0;
}

static int open_all(struct https_in *h, struct err *err) {
    const struct conf_health *c = &h->conf->health;
    int rc = https_keys_open(h, err);
    if (rc == 0 && (rc = certificate_open(&h->certificate, c->monitor.tls.certificate, c->monitor.tls.key,
                                          c->interval.push_ms, err)) < 0)
        rc = err_prefix(err, "health.monitor.tls");
    for (size_t i = 0; rc == 0 && i < c->monitor.listen_count && h->daemons < LIMIT_LISTEN; i++)
        if (c->monitor.listen[i].has_https)
            rc = daemon_open(h, &c->monitor.listen[i].https, err);
    return rc;
}

int https_in_open(struct https_in **out, const struct conf *conf, struct taker *taker, struct err *err) {
    const struct conf_health *c = &conf->health;
    bool any = false;
    *out = NULL;
    for (size_t i = 0; i < c->monitor.listen_count; i++)
        any |= c->monitor.listen[i].has_https;
    if (!any)
        return 0;
    struct https_in *h = calloc(1, sizeof *h);
    if (h == NULL || (h->index = node_index_make(conf)) == NULL) {
        free(h);
        return err_set(err, E_NOMEM, "no memory for reports over HTTPS");
    }
    h->conf = conf;
    h->taker = taker;
    h->life_ms = 2 * (int64_t)c->interval.push_ms;
    h->life_ms = h->life_ms < LIFE_LEAST_MS ? LIFE_LEAST_MS : h->life_ms > LIFE_MOST_MS ? LIFE_MOST_MS : h->life_ms;
    (void)pthread_mutex_init(&h->lock, NULL);
    int rc = open_all(h, err);
    if (rc < 0)
        https_in_close(h, true);
    else
        *out = h;
    return rc;
}

void https_in_tell(struct https_in *h, size_t node, uint64_t missed, int64_t asked_ms) {
    if (h == NULL || node >= LIMIT_NODES)
        return;
    __atomic_store_n(&h->word[node].missed, missed, __ATOMIC_RELAXED);
    __atomic_store_n(&h->word[node].asked_ms, asked_ms, __ATOMIC_RELAXED);
}

int64_t https_in_until_s(const struct https_in *h, char trouble[CERTIFICATE_TROUBLE]) {
    return certificate_until_s(h->certificate, trouble);
}

uint64_t https_in_refused(const struct https_in *h, enum https_in_refusal r) {
    return __atomic_load_n(&h->refused[r], __ATOMIC_RELAXED);
}

void https_in_close(struct https_in *h, bool ended) {
    if (h == NULL || !ended)
        return; /* what waits for a disk that hangs cannot be ended; the process is about to */
    for (size_t i = 0; i < h->daemons; i++)
        MHD_stop_daemon(h->daemon[i]);
    https_keys_close(h);
    node_index_free(h->index);
    certificate_close(h->certificate);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}
