/* One request: who may, which document, which status code (the table of docs/health.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/page/assets.h"
#include "health/web/accept.h"
#include "health/web/document.h"
#include "health/web/door.h"
#include "health/web/gzip.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

static const char type_json[] = "application/json";
static const char type_health[] = "application/health+json";
static const char type_text[] = "text/plain; charset=utf-8";
static const char type_html[] = "text/html; charset=utf-8";
static const char *const type_metrics[2] = {"text/plain; version=0.0.4; charset=utf-8",
                                            "application/openmetrics-text; version=1.0.0; charset=utf-8"};

/* Nothing but what this port serves. The attribute is body's, with the seconds after which it is past. */
static const char page_policy[] = "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; "
                                  "style-src 'self' 'unsafe-inline'; style-src-elem 'self'; "
                                  "style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
                                  "frame-ancestors 'none'";

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
    bool metrics = type == type_metrics[0] || type == type_metrics[1];
    char cache[64];
    snprintf(cache, sizeof(cache), "max-age=%u", max_age_s);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, max_age_s > 0 ? cache : "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (type == type_html)
        MHD_add_response_header(response, "Content-Security-Policy", page_policy);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY,
                            metrics ? MHD_HTTP_HEADER_ACCEPT ", " MHD_HTTP_HEADER_ACCEPT_ENCODING
                                    : MHD_HTTP_HEADER_ACCEPT_ENCODING);
}

/* All of it in one buffer, small; NULL: it is not worth it, not wanted, or there is no memory. Peers, who prove what
 * they say, get it as it is. */
static struct MHD_Response *packed(struct MHD_Connection *c, const struct bytes *part, size_t count, const char *type) {
    const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    size_t size = 0;
    uint8_t *at;
    for (size_t i = 0; i < count; i++)
        size += part[i].size;
    if (size < GZIP_LEAST || strncmp(type, "image/", 6) == 0 || !accept_gzip(accept) ||
        (size = gzip_make(part, count, &at)) == 0)
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(size, at, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(at);
    else
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    return response;
}

static struct MHD_Response *plain(struct reply *r, const struct bytes *part, size_t count) {
    struct MHD_IoVec iov[DOCUMENT_BODIES + 2];
    for (size_t i = 0; i < count; i++)
        iov[i] = (struct MHD_IoVec){part[i].at, part[i].size};
    return MHD_create_response_from_iovec(iov, (unsigned)count, reply_free, r);
}

static enum MHD_Result send_document(struct MHD_Connection *c, struct reply *r, unsigned code, const char *type,
                                     unsigned max_age_s, const char *mac) {
    struct bytes part[DOCUMENT_BODIES + 2];
    size_t n = 0;
    const struct document *d = &r->document;
    if (d->head.failed || d->tail.failed) {
        reply_free(r);
        return MHD_NO;
    }
    if (d->head.size > 0)
        part[n++] = (struct bytes){(const uint8_t *)d->head.at, d->head.size};
    for (size_t i = 0; i < d->bodies; i++)
        part[n++] = d->body[i];
    if (d->tail.size > 0)
        part[n++] = (struct bytes){(const uint8_t *)d->tail.at, d->tail.size};
    struct MHD_Response *small = mac[0] == '\0' ? packed(c, part, n, type) : NULL;
    struct MHD_Response *response = small != NULL ? small : plain(r, part, n);
    if (small != NULL || response == NULL)
        reply_free(r); /* else it goes with the response */
    if (response == NULL)
        return MHD_NO;
    add_headers(response, type, max_age_s);
    if (mac[0] != '\0')
        MHD_add_response_header(response, PEERS_MAC_HEADER, mac);
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

/* What a request is about, while its document is made. */
struct page {
    struct door *door;
    struct MHD_Connection *connection;
    const char *route, *rest; /* the path: the route's own, and what is behind it */
    struct reply *reply;
    const char *type;
    unsigned code, max_age_s; /* max_age_s 0: no-store */
    char mac[PEERS_MAC_TEXT]; /* "": none */
    int64_t mono_ms, wall_ms;
};

static const char *node_name(const struct page *p) { return p->door->web->conf->node.name; }

/* Pass and warn 200, fail and unknown 503. */
static void by_verdict(struct page *p) {
    enum verdict_state s = p->reply->document.state;
    p->type = type_health;
    p->code = s == VERDICT_PASS || s == VERDICT_WARN ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static bool page_live(struct page *p) {
    document_live(&p->reply->document, p->door->web->board, node_name(p), p->mono_ms, p->wall_ms);
    p->max_age_s = 1; /* made at the moment of the request */
    by_verdict(p);
    return true;
}

static bool page_ready(struct page *p) {
    document_ready(&p->reply->document, p->reply->snapshot, node_name(p), p->mono_ms, p->wall_ms);
    by_verdict(p);
    return true;
}

static bool page_health(struct page *p) {
    document_health(&p->reply->document, p->reply->snapshot, node_name(p), SCOPE_COUNT, p->mono_ms, p->wall_ms);
    by_verdict(p);
    return true;
}

/* One of the ten; one that this node has no checks of is not found, and no verdict: neither green nor red. */
static bool page_scope(struct page *p) {
    int scope = verdict_scope_find(p->rest);
    const struct snapshot *s = p->reply->snapshot;
    if (scope < 0)
        return false;
    document_health(&p->reply->document, s, node_name(p), scope, p->mono_ms, p->wall_ms);
    by_verdict(p);
    if (s != NULL && !s->scope[scope].present)
        p->code = MHD_HTTP_NOT_FOUND;
    return true;
}

static bool page_metrics(struct page *p) {
    bool open = accept_openmetrics(MHD_lookup_connection_value(p->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
    document_metrics(&p->reply->document, p->reply->snapshot, open, p->mono_ms);
    p->type = type_metrics[open];
    return true;
}

static const char *argument(const struct page *p, const char *key) {
    return MHD_lookup_connection_value(p->connection, MHD_GET_ARGUMENT_KIND, key);
}

/* NULL is 0; false: something that is no number. */
static bool number(const char *text, uint64_t *n) {
    char *end = NULL;
    *n = 0;
    if (text == NULL)
        return true;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 19)
        return false;
    *n = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool page_history(struct page *p) {
    struct history_query q = {.scope = SCOPE_COUNT};
    const char *limit = argument(p, "limit"), *scope = argument(p, "scope");
    uint64_t n;
    q.given = limit != NULL || scope != NULL || argument(p, "since") != NULL || argument(p, "before") != NULL;
    if (!number(argument(p, "since"), &q.since) || !number(argument(p, "before"), &q.before) || !number(limit, &n))
        return false;
    q.limit = (size_t)n;
    if (scope != NULL && (q.scope = verdict_scope_find(scope)) < 0)
        return false;
    document_history(&p->reply->document, p->reply->snapshot, &q);
    p->type = type_json;
    return true;
}

/* Never from a cache: what a browser shows again must not be greener than the node. */
static bool page_status(struct page *p) {
    document_page(&p->reply->document, p->reply->snapshot, node_name(p), p->mono_ms, p->wall_ms);
    p->type = type_html;
    p->max_age_s = 0;
    return true;
}

/* Their addresses carry the stamp of what they are: kept for a day, never mixed. */
static bool page_asset(struct page *p) {
    struct page_asset a;
    char path[64];
    snprintf(path, sizeof(path), "%s%s", p->route, p->rest);
    if (!page_asset_find(path, &a))
        return false;
    p->reply->document.body[p->reply->document.bodies++] = a.body;
    p->type = a.type;
    p->max_age_s = 86400;
    return true;
}

/* As old as it says: whoever reads it compares `wallMs` with the header Date. */
static bool page_detail(struct page *p) {
    const struct snapshot *s = p->reply->snapshot;
    if (s == NULL || s->detail == NULL || snapshot_is_stale(s, p->mono_ms)) {
        p->code = MHD_HTTP_SERVICE_UNAVAILABLE;
        text_put(&p->reply->document.head, "{\"v\":1,\"status\":\"unknown\"}\n");
    } else {
        p->reply->document.body[p->reply->document.bodies++] =
            (struct bytes){(const uint8_t *)s->detail->json, s->detail->size};
    }
    p->type = type_json;
    p->max_age_s = 0;
    return true;
}

/* As old as it says, like the detail. */
static bool page_fleet_of(struct page *p, const char *node) {
    const struct snapshot *s = p->reply->snapshot;
    p->type = type_json;
    p->max_age_s = 0;
    if (s != NULL && !snapshot_is_stale(s, p->mono_ms))
        return document_fleet(&p->reply->document, s, node);
    if (!p->door->web->conf->health.monitor.enabled)
        return false;
    p->code = MHD_HTTP_SERVICE_UNAVAILABLE;
    text_put(&p->reply->document.head, "{\"v\":1,\"status\":\"unknown\"}\n");
    return true;
}

static bool page_fleet_all(struct page *p) { return page_fleet_of(p, NULL); }
static bool page_fleet_node(struct page *p) { return page_fleet_of(p, p->rest); }

/* What a peer asks, or a monitor: its nonce proves that this is no old answer, its name which key the answer is to be
 * proved by, or the key that reports to it are proved by. */
static bool page_peers(struct page *p) {
    const struct web *w = p->door->web;
    const char *nonce = argument(p, "nonce");
    const char *who = argument(p, "for"), *key = argument(p, "key");
    struct peers_asked asked = {.nonce = nonce != NULL && strlen(nonce) < VIEW_NONCE ? nonce : "",
                                .about = argument(p, "about")};
    struct document *d = &p->reply->document;
    uint64_t boot = board_get(&w->board->process[ROLE_HEALTH].boot);
    document_peers(d, p->reply->snapshot, w->conf, boot, &asked, p->mono_ms, p->wall_ms);
    const struct peers_keys *keys = key != NULL ? w->report_keys : w->keys;
    int at = key != NULL ? peers_keys_find(keys, key) : who != NULL ? peers_find(w->conf, who) : -1;
    struct bytes parts[DOCUMENT_BODIES + 2] = {{(const uint8_t *)d->head.at, d->head.size}};
    memcpy(parts + 1, d->body, d->bodies * sizeof(parts[0]));
    parts[1 + d->bodies] = (struct bytes){(const uint8_t *)d->tail.at, d->tail.size};
    if (at >= 0 && peers_mac(keys, (size_t)at, parts, d->bodies + 2, p->mac) < 0)
        p->mac[0] = '\0';
    p->type = type_json;
    p->max_age_s = 0;
    return true;
}

static bool page_run(struct page *p) {
    char *end;
    uint64_t number = strtoull(p->rest, &end, 10), asked = web_runs(p->door->web);
    if (p->rest[0] < '1' || p->rest[0] > '9' || *end != '\0' || number > asked)
        return false;
    document_run(&p->reply->document, p->reply->snapshot, number, p->mono_ms);
    p->type = type_json;
    p->max_age_s = 0;
    return true;
}

static const struct route {
    const char *path;             /* with a final slash: and something behind it */
    bool (*make)(struct page *p); /* false: not found; NULL: only to be posted to */
} routes[] = {
    {"/livez", page_live},      {"/readyz", page_ready},  {"/health", page_health},   {"/health/run", NULL},
    {"/health/run/", page_run}, {"/health/", page_scope}, {"/metrics", page_metrics}, {"/history", page_history},
    {"/peers", page_peers},     {"/detail", page_detail}, {"/", page_status},         {"/page.css", page_asset},
    {"/page.js", page_asset},   {"/icon/", page_asset},   {"/fleet", page_fleet_all}, {"/fleet/", page_fleet_node},
};

static const struct route *find_route(const char *url, const char **rest) {
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        size_t size = strlen(routes[i].path);
        bool open = size > 1 && routes[i].path[size - 1] == '/' && strncmp(url, routes[i].path, size) == 0;
        *rest = open ? url + size : "";
        if (strcmp(url, routes[i].path) == 0 ? !open : open && **rest != '\0')
            return &routes[i];
    }
    return NULL;
}

static enum MHD_Result run(struct door *d, struct MHD_Connection *c) {
    int64_t wait_ms;
    char text[64];
    if (!has_token(c, d->web->conf->health.token))
        return send_words(c, MHD_HTTP_UNAUTHORIZED, "a run needs the token of health.token\n",
                          MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    uint64_t number = web_run_ask(d->web, door_snapshot(d), clock_mono_ms(), &wait_ms);
    if (number != 0) {
        snprintf(text, sizeof(text), "/health/run/%llu", (unsigned long long)number);
        return send_words(c, MHD_HTTP_ACCEPTED, "all probes are due now; what comes of it is at Location\n",
                          MHD_HTTP_HEADER_LOCATION, text);
    }
    snprintf(text, sizeof(text), "%lld", (long long)((wait_ms + 999) / 1000));
    return send_words(c, MHD_HTTP_TOO_MANY_REQUESTS, "a run was started less than five seconds ago, or has not ended\n",
                      MHD_HTTP_HEADER_RETRY_AFTER, text);
}

static enum MHD_Result not_found(struct MHD_Connection *c) {
    return send_words(c, MHD_HTTP_NOT_FOUND, "there is no such page\n", NULL, NULL);
}

static enum MHD_Result get(struct door *d, struct MHD_Connection *c, const struct route *route, const char *rest) {
    struct page p = {.door = d,
                     .connection = c,
                     .route = route->path,
                     .rest = rest,
                     .reply = calloc(1, sizeof(*p.reply)),
                     .code = MHD_HTTP_OK,
                     .max_age_s = d->web->conf->health.interval.local_ms / 1000,
                     .mono_ms = clock_mono_ms(),
                     .wall_ms = clock_wall_ms()};
    if (p.reply == NULL)
        return MHD_NO;
    p.max_age_s = p.max_age_s > 0 ? p.max_age_s : 1;
    p.reply->snapshot = door_snapshot(d);
    if (p.reply->snapshot != NULL)
        snapshot_ref(p.reply->snapshot);
    if (!route->make(&p)) {
        reply_free(p.reply);
        return not_found(c);
    }
    return send_document(c, p.reply, p.code, p.type, p.max_age_s, p.mac);
}

static enum MHD_Result answer(struct door *d, struct MHD_Connection *c, const char *url, const char *method) {
    bool reading = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    const char *rest;
    const struct route *route = find_route(url, &rest);
    if (route == NULL)
        return not_found(c);
    if (route->make == NULL && strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        return run(d, c);
    if (route->make == NULL || !reading)
        return send_words(c, MHD_HTTP_METHOD_NOT_ALLOWED,
                          route->make == NULL ? "POST starts a run\n" : "GET and HEAD\n", MHD_HTTP_HEADER_ALLOW,
                          route->make == NULL ? "POST" : "GET, HEAD");
    return get(d, c, route, rest);
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
    return answer(d, c, url, method);
}
