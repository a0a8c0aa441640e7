/* One request: who may, which document, which status code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/web/document.h"
#include "health/web/door.h"
#include "resolver/base/clock.h"

static const char type_json[] = "application/json";
static const char type_health[] = "application/health+json";
static const char type_text[] = "text/plain; charset=utf-8";
static const char type_html[] = "text/html; charset=utf-8";
static const char *const type_metrics[2] = {"text/plain; version=0.0.4; charset=utf-8",
                                            "application/openmetrics-text; version=1.0.0; charset=utf-8"};

/* Lives until its last octet was sent. */
struct reply {
    struct document document;
    struct snapshot *snapshot; /* whose bodies are sent; a reference of the reply's own */
};

static void reply_free(void *cls) {
    struct reply *r = cls;
    document_free(&r->document);
    snapshot_unref(r->snapshot);
    free(r);
}

static void add_headers(struct MHD_Response *response, const char *type, unsigned max_age_s) {
    char cache[64];
    snprintf(cache, sizeof(cache), "max-age=%u", max_age_s);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, max_age_s > 0 ? cache : "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (type == type_html)
        MHD_add_response_header(response, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    if (type == type_metrics[0] || type == type_metrics[1])
        MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
}

static enum MHD_Result send_document(struct MHD_Connection *c, struct reply *r, unsigned code, const char *type,
                                     unsigned max_age_s) {
    struct MHD_IoVec iov[DOCUMENT_BODIES + 2];
    unsigned n = 0;
    const struct document *d = &r->document;
    if (d->head.failed || d->tail.failed) {
        reply_free(r);
        return MHD_NO;
    }
    if (d->head.size > 0)
        iov[n++] = (struct MHD_IoVec){d->head.at, d->head.size};
    for (size_t i = 0; i < d->bodies; i++)
        iov[n++] = (struct MHD_IoVec){d->body[i].at, d->body[i].size};
    if (d->tail.size > 0)
        iov[n++] = (struct MHD_IoVec){d->tail.at, d->tail.size};
    struct MHD_Response *response = MHD_create_response_from_iovec(iov, n, reply_free, r);
    if (response == NULL) {
        reply_free(r);
        return MHD_NO;
    }
    add_headers(response, type, max_age_s);
    enum MHD_Result result = MHD_queue_response(c, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_words(struct MHD_Connection *c, unsigned code, const char *words, const char *header,
                                  const char *value) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(words), (void *)(uintptr_t)words, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    add_headers(response, type_text, 0);
    if (header != NULL)
        MHD_add_response_header(response, header, value);
    enum MHD_Result result = MHD_queue_response(c, code, response);
    MHD_destroy_response(response);
    return result;
}

/* In a time that does not tell how much of it was right. */
static bool same_secret(const char *given, const char *token) {
    size_t n = strlen(token), m = strlen(given);
    unsigned char differs = n != m;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)(token[i] ^ (m > 0 ? given[i % m] : 0));
    return differs == 0;
}

static bool has_token(struct MHD_Connection *c, const char *token) {
    const char *given = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (token == NULL || token[0] == '\0' || given == NULL || strncasecmp(given, "Bearer ", 7) != 0)
        return false;
    return same_secret(given + 7, token);
}

static bool may_read(struct MHD_Connection *c, const struct conf_health *conf) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct addr peer;
    if (info == NULL || info->client_addr == NULL)
        return false;
    addr_from_sockaddr(&peer, info->client_addr);
    return prefix_list_has(conf->allow.at, conf->allow.count, &peer) || has_token(c, conf->token);
}

static bool wants_openmetrics(struct MHD_Connection *c) {
    const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    return accept != NULL && strcasestr(accept, "application/openmetrics-text") != NULL;
}

static enum MHD_Result run(struct door *d, struct MHD_Connection *c) {
    int64_t wait_ms;
    char seconds[32];
    if (!has_token(c, d->web->conf->health.token))
        return send_words(c, MHD_HTTP_UNAUTHORIZED, "a run needs the token of health.token\n",
                          MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (web_run_ask(d->web, clock_mono_ms(), &wait_ms))
        return send_words(c, MHD_HTTP_ACCEPTED, "all probes are due now\n", NULL, NULL);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)((wait_ms + 999) / 1000));
    return send_words(c, MHD_HTTP_TOO_MANY_REQUESTS, "a run was started less than five seconds ago\n",
                      MHD_HTTP_HEADER_RETRY_AFTER, seconds);
}

static bool build(struct door *d, struct MHD_Connection *c, const char *url, struct reply *r, const char **type) {
    const char *node = d->web->conf->node.name;
    int64_t mono_ms = clock_mono_ms(), wall_ms = clock_wall_ms();
    const struct snapshot *s = r->snapshot;
    int scope = strncmp(url, "/health/", 8) == 0 ? verdict_scope_find(url + 8) : -1;
    *type = type_health;
    if (strcmp(url, "/livez") == 0) {
        document_live(&r->document, d->web->board, node, mono_ms, wall_ms);
    } else if (strcmp(url, "/readyz") == 0) {
        document_ready(&r->document, s, node, mono_ms, wall_ms);
    } else if (strcmp(url, "/health") == 0) {
        document_health(&r->document, s, node, SCOPE_COUNT, mono_ms, wall_ms);
    } else if (scope >= 0 && (s == NULL || s->scope[scope].present)) {
        document_health(&r->document, s, node, scope, mono_ms, wall_ms);
    } else if (strcmp(url, "/metrics") == 0) {
        bool open = wants_openmetrics(c);
        document_metrics(&r->document, s, open, mono_ms);
        *type = type_metrics[open];
    } else if (strcmp(url, "/history") == 0) {
        document_history(&r->document, s);
        *type = type_json;
    } else if (strcmp(url, "/") == 0) {
        document_page(&r->document, s, node, mono_ms, wall_ms);
        *type = type_html;
    } else {
        return false;
    }
    return true;
}

static enum MHD_Result get(struct door *d, struct MHD_Connection *c, const char *url) {
    struct reply *r = calloc(1, sizeof(*r));
    const char *type;
    if (r == NULL)
        return MHD_NO;
    r->snapshot = door_snapshot(d);
    if (r->snapshot != NULL)
        snapshot_ref(r->snapshot);
    if (!build(d, c, url, r, &type)) {
        reply_free(r);
        return send_words(c, MHD_HTTP_NOT_FOUND, "there is no such page\n", NULL, NULL);
    }
    bool verdict = type == type_health;
    bool good = r->document.state == VERDICT_PASS || r->document.state == VERDICT_WARN;
    unsigned max_age_s = d->web->conf->health.interval.local_ms / 1000;
    return send_document(c, r, verdict && !good ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, type,
                         strcmp(url, "/livez") == 0 || max_age_s == 0 ? 1 : max_age_s);
}

enum MHD_Result door_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls) {
    struct door *d = cls;
    static const char seen; /* its address marks a request whose headers were taken */
    bool reading = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    (void)version;
    (void)upload_data;
    /* A body is never read: GET with one is cut off, anything else is answered with the headers and closed. */
    if (reading && *con_cls == NULL) {
        *con_cls = (void *)(uintptr_t)&seen;
        return MHD_YES;
    }
    if (*upload_data_size > 0)
        return MHD_NO;
    if (!may_read(c, &d->web->conf->health))
        return send_words(c, MHD_HTTP_FORBIDDEN, "not in health.allow\n", NULL, NULL);
    if (strcmp(method, MHD_HTTP_METHOD_POST) == 0 && strcmp(url, "/health/run") == 0)
        return run(d, c);
    if (!reading)
        return send_words(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD; POST for /health/run\n", MHD_HTTP_HEADER_ALLOW,
                          "GET, HEAD, POST");
    return get(d, c, url);
}
