/* Who may post, and what a request comes to. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/monitor/https_impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/mac.h"

unsigned https_refuse(struct https_in *h, enum https_in_refusal r, unsigned status) {
    __atomic_fetch_add(&h->refused[r], 1, __ATOMIC_RELAXED);
    return status;
}

/* With or without the dot at its end. */
static bool same_name(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    n -= n > 0 && a[n - 1] == '.';
    m -= m > 0 && b[m - 1] == '.';
    return n == m && strncasecmp(a, b, n) == 0;
}

static size_t find_key(const struct https_in *h, const char *name) {
    for (size_t k = 0; k < h->key_count; k++)
        if (same_name(h->keys[k].name, name))
            return k;
    return SIZE_MAX;
}

int https_keys_open(struct https_in *h, struct err *err) {
    const struct conf *conf = h->conf;
    h->key_count = conf->rbl.key_count;
    h->keys = calloc(h->key_count > 0 ? h->key_count : 1, sizeof *h->keys);
    if (h->keys == NULL)
        return err_set(err, E_NOMEM, "no memory for keys");
    for (size_t k = 0; k < h->key_count; k++)
        h->keys[k].name = conf->rbl.keys[k].name;
    for (size_t i = 0; i < LIMIT_NODES; i++) {
        const struct conf_peer *node = i < conf->health.monitor.node_count ? &conf->health.monitor.nodes[i] : NULL;
        h->key_of[i] = SIZE_MAX;
        if (node == NULL || node->key[0] == '\0')
            continue; /* it is asked all the same */
        size_t k = h->key_of[i] = find_key(h, node->key);
        if (k == SIZE_MAX)
            return err_set(err, E_NOTFOUND, "health.monitor.nodes %s: rbl.keys has no key %s", node->name, node->key);
        if (h->keys[k].size > 0)
            continue;
        int size = tsig_secret_read(h->keys[k].secret, &conf->rbl.keys[k], err);
        if (size < 0)
            return size;
        h->keys[k].size = (size_t)size;
    }
    return 0;
}

void https_keys_close(struct https_in *h) {
    if (h->keys != NULL)
        OPENSSL_cleanse(h->keys, h->key_count * sizeof *h->keys);
    free(h->keys);
}

static const char *header(const struct https_post *p, const char *name) {
    const char *value = MHD_lookup_connection_value(p->connection, MHD_HEADER_KIND, name);
    return value != NULL ? value : "";
}

/* A decimal number; -1: none, or too long. */
static int64_t number(const char *text) {
    size_t n = strlen(text);
    return n > 0 && n <= 18 && strspn(text, "0123456789") == n ? strtoll(text, NULL, 10) : -1;
}

unsigned https_post_begin(struct https_post *p, const char **why) {
    struct https_in *h = p->h;
    const char *moment = header(p, "Candor-Time"), *mac = header(p, "Candor-MAC");
    int64_t length = number(header(p, MHD_HTTP_HEADER_CONTENT_LENGTH)), at = number(moment);
    int64_t off = clock_wall_ms() - at;
    *why = "a key of a node\n";
    p->key = find_key(h, header(p, "Candor-Key"));
    if (p->key == SIZE_MAX || h->keys[p->key].size == 0 || strlen(mac) != MAC_TEXT - 1)
        return https_refuse(h, HTTPS_IN_KEY, MHD_HTTP_UNAUTHORIZED);
    *why = "the time is off, or the request is old\n";
    if (at < 0 || off > HTTPS_IN_WINDOW_MS || off < -HTTPS_IN_WINDOW_MS)
        return https_refuse(h, HTTPS_IN_TIME, MHD_HTTP_UNAUTHORIZED);
    *why = "a body, its length said, of 4 MiB at most\n";
    if (length <= 0)
        return https_refuse(h, HTTPS_IN_FORM, MHD_HTTP_LENGTH_REQUIRED);
    if (length > INTAKE_BYTES)
        return https_refuse(h, HTTPS_IN_FORM, MHD_HTTP_CONTENT_TOO_LARGE);
    *why = "too much at once\n";
    if (__atomic_add_fetch(&h->bytes, (size_t)length, __ATOMIC_RELAXED) > HTTPS_IN_BYTES ||
        (p->body = malloc((size_t)length)) == NULL) {
        __atomic_fetch_sub(&h->bytes, (size_t)length, __ATOMIC_RELAXED);
        return https_refuse(h, HTTPS_IN_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE);
    }
    p->length = (size_t)length;
    text_copy(p->moment, sizeof p->moment, moment);
    text_copy(p->given, sizeof p->given, mac);
    return 0;
}

static bool is_proved(const struct https_post *p) {
    const struct https_key *k = &p->h->keys[p->key];
    const struct bytes parts[] = {{(const uint8_t *)p->moment, strlen(p->moment)},
                                  {(const uint8_t *)"\n", 1},
                                  {(const uint8_t *)p->body, p->size}};
    char right[MAC_TEXT];
    return mac_text((struct bytes){k->secret, k->size}, parts, ARRAY_SIZE(parts), right) == 0 &&
           mac_same(p->given, right);
}

/* By its name; who leaves it out is known by a key of its own. */
static size_t find_node(const struct https_post *p, const char *name) {
    const struct https_in *h = p->h;
    size_t found = SIZE_MAX;
    if (name[0] != '\0') {
        found = node_index_find(h->index, name);
        return found != SIZE_MAX && h->key_of[found] == p->key ? found : SIZE_MAX;
    }
    for (size_t i = 0; i < h->conf->health.monitor.node_count && i < LIMIT_NODES; i++)
        if (h->key_of[i] == p->key) {
            if (found != SIZE_MAX)
                return SIZE_MAX; /* it may be of more than one */
            found = i;
        }
    return found;
}

unsigned https_post_end(struct https_post *p, void (*done)(void *ctx, int code)) {
    struct https_in *h = p->h;
    struct intake *i;
    struct err err = {.text = ""};
    (void)snprintf(p->why, sizeof p->why, "the MAC is wrong\n");
    if (p->size != p->length || !is_proved(p))
        return https_refuse(h, HTTPS_IN_KEY, MHD_HTTP_UNAUTHORIZED);
    int rc = intake_read(&i, p->body, p->size, &err);
    (void)snprintf(p->why, sizeof p->why, "%.120s\n", err.text);
    if (rc < 0)
        return rc == E_NOMEM ? https_refuse(h, HTTPS_IN_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE)
                             : https_refuse(h, HTTPS_IN_FORM, MHD_HTTP_BAD_REQUEST);
    p->node = find_node(p, i->name);
    if (p->node == SIZE_MAX) {
        intake_free(i);
        (void)snprintf(p->why, sizeof p->why, "no node of this monitor, or not its key\n");
        return https_refuse(h, HTTPS_IN_NODE, MHD_HTTP_FORBIDDEN);
    }
    text_copy(i->name, sizeof i->name, h->conf->health.monitor.nodes[p->node].name);
    i->node = p->node;
    i->came_ms = clock_wall_ms();
    p->boot = i->report.boot;
    p->sequence = i->report.sequence;
    p->event = i->events > 0 ? i->event[i->events - 1].sequence : 0;
    i->done = done;
    i->ctx = p;
    if (taker_put(h->taker, i))
        return 0;
    intake_free(i);
    (void)snprintf(p->why, sizeof p->why, "nothing can be kept now\n");
    return https_refuse(h, HTTPS_IN_BUSY, MHD_HTTP_SERVICE_UNAVAILABLE);
}

size_t https_post_answer(const struct https_post *p, char *to, size_t size) {
    const struct https_in_word *w = &p->h->word[p->node];
    int64_t asked = __atomic_load_n(&w->asked_ms, __ATOMIC_RELAXED);
    char line[48] = "";
    if (asked > 0)
        (void)snprintf(line, sizeof line, ",\"askedAgoMs\":%lld", (long long)(clock_mono_ms() - asked));
    int n = snprintf(to, size,
                     "{\"monitor\":\"%.63s\",\"wallMs\":%lld,\"boot\":\"%016llx\",\"sequence\":%llu,\"missed\":%llu,"
                     "\"events\":%llu%s}\n",
                     p->h->conf->node.name, (long long)clock_wall_ms(), (unsigned long long)p->boot,
                     (unsigned long long)p->sequence, (unsigned long long)__atomic_load_n(&w->missed, __ATOMIC_RELAXED),
                     (unsigned long long)p->event, line);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
