#include "health/peers/view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

#define VIEW_TIME_MOST 1000000000000000LL /* ms: far beyond any clock, and sums of two fit */

static const char *const state_names[SEEN_STATES] = {"unknown", "good", "bad"};
static const char *const way_names[SEEN_WAYS] = {"udp", "tcp", "http"};

const char *seen_state_name(enum seen_state s) { return (unsigned)s < SEEN_STATES ? state_names[s] : "unknown"; }
const char *seen_by_name(enum seen_by b) { return (unsigned)b < SEEN_WAYS ? way_names[b] : "?"; }

/* The parser calls itself for each level: counted before it is asked. */
static bool too_deep(const char *text, size_t size) {
    int depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\\' && in_text)
            i++;
        else if (c == '"')
            in_text = !in_text;
        else if (!in_text && (c == '}' || c == ']'))
            depth--;
        else if (!in_text && (c == '{' || c == '[') && ++depth > VIEW_DEPTH)
            return true;
    }
    return false;
}

/* Printable ASCII, cut to fit: it is shown in terminals and pages. */
static bool take_text(const json_t *o, const char *key, char *to, size_t cap, bool whole) {
    const char *s = json_string_value(json_object_get(o, key));
    if (s == NULL || (whole && strlen(s) >= cap))
        return false;
    size_t n = text_copy(to, cap, s);
    for (size_t i = 0; i < n; i++)
        if (to[i] < ' ' || to[i] > '~')
            to[i] = '?';
    return true;
}

static bool take_number(const json_t *o, const char *key, int64_t most, int64_t *to) {
    const json_t *n = json_object_get(o, key);
    *to = json_integer_value(n);
    return json_is_integer(n) && *to >= 0 && *to <= most;
}

/* What does not fit is as good as endless. */
static bool take_small(const json_t *o, const char *key, uint32_t *to) {
    int64_t n;
    bool good = take_number(o, key, INT64_MAX, &n);
    *to = !good ? 0 : n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    return good;
}

static bool take_flag(const json_t *o, const char *key, bool *to) {
    const json_t *b = json_object_get(o, key);
    *to = json_is_true(b);
    return json_is_boolean(b);
}

static int find(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool take_seen(struct seen *s, const char *node, const json_t *o) {
    char by[8], state[12];
    struct addr address;
    uint32_t score;
    if (!json_is_object(o) || !take_text(o, "to", s->address, sizeof(s->address), true) ||
        !take_text(o, "by", by, sizeof(by), true) || !take_text(o, "state", state, sizeof(state), true) ||
        !take_text(o, "came", s->came, sizeof(s->came), false) || !take_small(o, "ago", &s->ago_ms) ||
        !take_small(o, "for", &s->for_ms) || !take_small(o, "lag", &s->lag_ms) || !take_small(o, "score", &score))
        return false;
    int way = find(way_names, SEEN_WAYS, by), is = find(state_names, SEEN_STATES, state);
    if (way < 0 || is < 0 || addr_parse(&address, s->address, 0, NULL) < 0)
        return false;
    text_copy(s->node, sizeof(s->node), node);
    s->by = (enum seen_by)way;
    s->state = (enum seen_state)is;
    s->ip6 = addr_family(&address) == AF_INET6;
    s->score = score;
    return true;
}

static int take_peers(struct view *v, json_t *peers) {
    const char *name;
    json_t *list;
    size_t count = 0, at = 0;
    json_object_foreach(peers, name, list) {
        count += json_array_size(list);
        if (!json_is_array(list) || strlen(name) >= VIEW_NODE)
            return E_INVALID;
    }
    if (count > VIEW_SEEN || json_object_size(peers) > LIMIT_PEERS)
        return E_FULL;
    v->seen = calloc(count > 0 ? count : 1, sizeof(*v->seen));
    if (v->seen == NULL)
        return E_NOMEM;
    json_object_foreach(peers, name, list) for (size_t i = 0; i < json_array_size(list);
                                                i++, at++) if (!take_seen(&v->seen[at], name,
                                                                          json_array_get(list, i))) return E_INVALID;
    v->count = count;
    return 0;
}

static bool take_status(struct view *v, const json_t *o) {
    char status[12];
    if (!take_text(o, "status", status, sizeof(status), true))
        return false;
    for (int s = 0; s < VERDICT_STATES; s++)
        if (strcmp(status, verdict_state_name((enum verdict_state)s)) == 0) {
            v->status = (enum verdict_state)s;
            return true;
        }
    return false;
}

static int take_all(struct view *v, const json_t *o, const char *node, const char *nonce, struct err *err) {
    char got[VIEW_NONCE];
    int64_t sequence;
    uint32_t score = 0;
    if (!take_text(o, "nonce", got, sizeof(got), true) || strcmp(got, nonce) != 0)
        return err_set(err, E_DENIED, "it answers another request: the nonce is not the one that was sent");
    if (!take_text(o, "node", v->node, sizeof(v->node), true) || strcmp(v->node, node) != 0)
        return err_set(err, E_DENIED, "another node answers there: \"%.60s\"", v->node);
    if (!take_text(o, "boot", v->boot, sizeof(v->boot), true) || !take_number(o, "now", VIEW_TIME_MOST, &v->wall_ms) ||
        !take_flag(o, "stale", &v->stale) || !take_small(o, "age", &v->age_ms))
        return err_set(err, E_INVALID, "no view: node, boot, now, stale or age is missing or of the wrong kind");
    v->status = VERDICT_UNKNOWN;
    if (v->stale)
        return 0;
    if (!take_number(o, "sequence", INT64_MAX, &sequence) || !take_status(v, o) || !take_flag(o, "ready", &v->ready) ||
        !take_flag(o, "cutOff", &v->cut_off) || !take_text(o, "cause", v->cause, sizeof(v->cause), false) ||
        !take_small(o, "score", &score) || !take_small(o, "lag", &v->lag_ms) ||
        !json_is_object(json_object_get(o, "peers")))
        return err_set(err, E_INVALID, "no view: a field is missing or of the wrong kind");
    v->sequence = (uint64_t)sequence;
    v->score = score;
    int rc = take_peers(v, json_object_get(o, "peers"));
    return rc < 0 ? err_set(err, rc, "no view: what it says of its peers cannot be read") : 0;
}

int view_read(struct view *v, const char *text, size_t size, const char *node, const char *nonce, struct err *err) {
    json_error_t problem;
    memset(v, 0, sizeof(*v));
    if (size > VIEW_BYTES)
        return err_set(err, E_FULL, "a view of %zu octets, of %d that are read", size, VIEW_BYTES);
    if (too_deep(text, size))
        return err_set(err, E_FULL, "no view: more than %d levels", VIEW_DEPTH);
    json_t *o = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(o)) {
        json_decref(o);
        return err_set(err, E_INVALID, "no view: not a JSON object");
    }
    int rc = take_all(v, o, node, nonce, err);
    json_decref(o);
    if (rc < 0)
        view_free(v);
    return rc;
}

void view_free(struct view *v) {
    free(v->seen);
    memset(v, 0, sizeof(*v));
}
