/* Reading links, ages, lag, and what one link comes to. */
#include "health/verdict/replica_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"

enum { REFRESH_DEFAULT_S = 300, REFRESH_MOST_S = 86400 };

static int by_zone(const void *a, const void *b) {
    const struct board_link *x = *(const struct board_link *const *)a, *y = *(const struct board_link *const *)b;
    if (x->zone != y->zone)
        return x->zone < y->zone ? -1 : 1;
    return x->way != y->way ? (x->way < y->way ? -1 : 1) : strcmp(x->peer, y->peer);
}

static int make_room(struct replica_links *l, size_t count) {
    if (count <= l->cap)
        return 0;
    replica_links_free(l);
    l->at = calloc(count, sizeof(*l->at));
    l->sorted = calloc(count, sizeof(struct board_link *));
    if (l->at == NULL || l->sorted == NULL) {
        replica_links_free(l);
        return E_NOMEM;
    }
    l->cap = count;
    return 0;
}

int replica_links_read(struct replica_links *l, const struct board *b) {
    size_t used = 0;
    while (used < LIMIT_LINKS && board_get(&b->link[used].way) != LINK_FREE)
        used++;
    l->count = 0;
    l->others = false;
    if (make_room(l, used) < 0)
        return E_NOMEM;
    for (size_t i = 0; i < used; i++) {
        struct board_link *k = &l->at[l->count];
        if (!board_link_read(&b->link[i], k))
            continue; /* its writer died half-way: one link is missing, the others are not */
        l->others |= k->zone >= LIMIT_ZONES && k->peer[0] != '\0';
        if (k->zone < LIMIT_ZONES && k->way != LINK_FREE && k->peer[0] != '\0') {
            l->sorted[l->count] = k;
            l->count++;
        }
    }
    if (l->count > 1)
        qsort(l->sorted, l->count, sizeof(struct board_link *), by_zone);
    return 0;
}

size_t replica_links_of(const struct replica_links *l, size_t zone, const struct board_link *const **first) {
    size_t low = 0, high = l->count, end;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->sorted[middle]->zone < zone)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < l->count && l->sorted[end]->zone == zone;)
        end++;
    *first = l->sorted != NULL ? l->sorted + low : NULL;
    return end - low;
}

void replica_links_free(struct replica_links *l) {
    free(l->at);
    free(l->sorted);
    *l = (struct replica_links){0};
}

const char *replica_age_text(char to[32], int64_t ms) {
    if (ms < 0)
        snprintf(to, 32, "unknown");
    else if (ms < 1000)
        snprintf(to, 32, "%" PRId64 " ms", ms);
    else if (ms < 600000)
        snprintf(to, 32, "%.1f s", (double)ms / 1000);
    else if (ms < 36000000)
        snprintf(to, 32, "%.0f min", (double)ms / 60000);
    else
        snprintf(to, 32, "%.0f h", (double)ms / 3600000);
    return to;
}

const char *replica_clip(char *to, size_t cap, const char *text) {
    size_t n = strlen(text);
    if (cap < sizeof("...") || n < cap) {
        text_copy(to, cap, text);
        return to;
    }
    text_copy(to, cap, "...");
    text_copy(to + 3, cap - 3, text + n - (cap - 4));
    return to;
}

bool replica_is_secondary(const struct replica *r) {
    return board_get(&r->z->secondary) != 0 || r->zone->primaries.count > 0 || r->z->role == ROLE_STANDBY;
}

bool replica_is_primary(const struct replica *r) {
    for (size_t i = 0; i < r->links; i++)
        if (r->link[i]->way == LINK_TO)
            return true;
    return r->zone->notify.count > 0;
}

/* A clock that was set back gives no negative ages. */
static int64_t since(const struct replica *r, uint64_t then_ms) {
    int64_t age = r->now_ms - (int64_t)then_ms;
    return then_ms == 0 ? -1 : age > 0 ? age : 0;
}

int64_t replica_check_age_ms(const struct replica *r) {
    return since(r, replica_is_secondary(r) ? r->z->checked_wall_ms : r->z->last_check_wall_s * 1000);
}

/* The stamp is of the source's clock, which the primary we last heard of stands for. */
static int64_t source_offset_ms(const struct replica *r) {
    const struct board_link *best = NULL;
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        if (k->way == LINK_FROM && k->native != 0 && k->clock_known != 0 &&
            (best == NULL || k->heard_wall_ms > best->heard_wall_ms))
            best = k;
    }
    return best != NULL ? (int64_t)best->clock_offset_ms : 0;
}

int64_t replica_data_age_ms(const struct replica *r) {
    if (!replica_is_secondary(r))
        return r->zone->data_count > 0 ? replica_check_age_ms(r) : -1;
    if (r->z->stamp_wall_ms == 0)
        return -1;
    int64_t age = r->now_ms + source_offset_ms(r) - (int64_t)r->z->stamp_wall_ms;
    return age > 0 ? age : 0;
}

/* A primary that cannot be reached any more may have taken its newest serial with it. */
bool replica_newest(const struct replica *r, uint32_t *serial) {
    bool known = r->z->source_known != 0;
    *serial = (uint32_t)r->z->source_serial;
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        if (k->way != LINK_FROM || k->serial_known == 0 || k->heard_wall_ms == 0)
            continue;
        if (!known || board_serial_newer(k->serial, *serial))
            *serial = (uint32_t)k->serial;
        known = true;
    }
    return known;
}

uint32_t replica_lag(const struct replica *r) {
    uint32_t newest;
    bool newer = replica_newest(r, &newest) && board_serial_newer(newest, r->z->serial);
    return newer ? newest - (uint32_t)r->z->serial : 0;
}

int64_t replica_refresh_ms(const struct replica *r) {
    uint64_t s = r->z->refresh_s != 0 ? r->z->refresh_s : r->zone->soa.refresh_s;
    s = s == 0 ? REFRESH_DEFAULT_S : s;
    return (int64_t)(s < REFRESH_MOST_S ? s : REFRESH_MOST_S) * 1000;
}

enum board_link_state replica_link_state(const struct replica *r, const struct board_link *k) {
    int64_t within = REPLICA_SILENT_MS;
    if (k->way != LINK_TO)
        within = k->held != 0 ? REPLICA_HELD_MS : replica_refresh_ms(r) + r->allowance_ms;
    else if (k->native == 0)
        within = INT64_MAX; /* it asks when it likes */
    return board_link_judge(k, r->z, r->now_ms, within);
}

const char *replica_link_word(enum board_link_state s) {
    static const char *const words[] = {"unknown", "ok", "behind", "unreachable", "denied", "broken"};
    return (unsigned)s < ARRAY_SIZE(words) ? words[s] : "?";
}

/* By its name as links have it; the port it asks from is never the one it listens on. */
bool replica_expects(const struct replica *r, const struct board_link *k) {
    char name[BOARD_PEER_MAX], host[ADDR_TEXT_MAX];
    const struct conf_rules *lists[] = {&r->zone->notify, &r->zone->pair};
    for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
        for (size_t i = 0; i < lists[l]->count; i++) {
            const struct addr *a = &lists[l]->at[i].address;
            if (!lists[l]->at[i].has_address)
                continue;
            size_t n = strlen(addr_host_text(a, host));
            if (strcmp(k->peer, board_link_peer(r->conf, a, name)) == 0 ||
                (strncmp(k->peer, host, n) == 0 && strchr("@/", k->peer[n]) != NULL))
                return true;
        }
    for (size_t i = 0; i < r->conf->health.peer_count; i++)
        if (strcmp(k->peer, r->conf->health.peers[i].name) == 0)
            return true;
    return false;
}

/* Why the last try failed, and since when. */
static int64_t failing_ms(const struct replica *r, const struct board_link *k, char *words, size_t size) {
    char age[32], why[150];
    int64_t ms = since(r, k->failing_since_wall_ms);
    ms = ms > 0 ? ms : 1;
    snprintf(words, size, "%.60s %s for %s: %s", k->peer, replica_link_word(k->state), replica_age_text(age, ms),
             replica_clip(why, sizeof(why), k->error));
    return ms;
}

int64_t replica_trouble_ms(const struct replica *r, const struct board_link *k, char *words, size_t size) {
    char age[32];
    int64_t queued = since(r, k->oldest_queued_wall_ms), silent = since(r, k->heard_wall_ms);
    words[0] = '\0';
    if (k->queue_commits > 0 && queued > r->allowance_ms) {
        char why[100];
        snprintf(words, size, "%.60s is %" PRIu64 " commit%s behind, the oldest waits for %s%s%s", k->peer,
                 k->queue_commits, k->queue_commits == 1 ? "" : "s", replica_age_text(age, queued),
                 k->error[0] != '\0' ? ": " : "", replica_clip(why, sizeof(why), k->error));
        return queued;
    }
    if (k->state >= LINK_UNREACHABLE)
        return failing_ms(r, k, words, size);
    if (k->native != 0 && silent > REPLICA_SILENT_MS) {
        snprintf(words, size, "%.60s has been silent for %s", k->peer, replica_age_text(age, silent));
        return silent;
    }
    return 0;
}
