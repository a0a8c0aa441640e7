#define XXH_INLINE_ALL
#include "rbl/replicate/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "resolver/base/clock.h"

enum {
    CLOCK_JUMP_MS = 5000, /* an offset that changes by more is a clock that was set, not a path that was slow */
    CLOCK_SETTLE = 16
};

struct links {
    struct board *board; /* NULL: `own` is used */
    struct board_link *table, *own;
    uint32_t key[LIMIT_LINKS]; /* of what stands in the slot: looked through before the slots are */
    size_t count;
    struct board_link *former; /* the predecessor's */
    size_t former_count;
};

static uint64_t zone_tag(const struct links *l, int zone) {
    if (l->board == NULL)
        return (uint64_t)zone + 1;
    const char *name = l->board->zone[zone].name;
    return XXH3_64bits(name, strnlen(name, BOARD_NAME_MAX));
}

static uint32_t link_key(uint64_t tag, uint64_t way, const char *peer) {
    return (uint32_t)(XXH3_64bits_withSeed(peer, strlen(peer), tag + way)) | 1U;
}

static void clear(struct board_link *k) {
    board_link_open(k);
    memset(&k->way, 0, sizeof *k - offsetof(struct board_link, way));
    board_link_close(k);
}

/* Takes the predecessor's links off the board: nobody should take them for ours before they are asked for again. */
static int take_former(struct links *l, struct err *err) {
    size_t used = 0;
    while (used < LIMIT_LINKS && board_get(&l->table[used].way) != LINK_FREE)
        used++;
    if (used == 0)
        return 0;
    l->former = calloc(used, sizeof *l->former);
    if (l->former == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu links", used);
    for (size_t i = 0; i < used; i++) {
        bool whole = board_link_read(&l->table[i], &l->former[l->former_count]);
        l->former_count += whole; /* one that the predecessor died writing begins anew */
    }
    for (size_t i = used; i > 0; i--)
        clear(&l->table[i - 1]);
    return 0;
}

int links_open(struct links **out, struct board *board, struct err *err) {
    struct links *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory for links");
    l->board = board;
    l->own = board == NULL ? calloc(LIMIT_LINKS, sizeof *l->own) : NULL;
    l->table = board == NULL ? l->own : board->link;
    int rc = l->table == NULL ? err_set(err, E_NOMEM, "no memory for links") : take_former(l, err);
    if (rc < 0) {
        links_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

void links_close(struct links *l) {
    if (l == NULL)
        return;
    free(l->former);
    free(l->own);
    free(l);
}

const char *links_name(const struct conf *conf, const struct addr *a, char to[BOARD_PEER_MAX]) {
    return board_link_peer(conf, a, to);
}

static const struct board_link *find_former(const struct links *l, uint64_t tag, uint64_t way, const char *peer) {
    for (size_t i = 0; i < l->former_count; i++) {
        const struct board_link *f = &l->former[i];
        if (f->zone_tag == tag && f->way == way && strcmp(f->peer, peer) == 0)
            return f;
    }
    return NULL;
}

/* `way` comes with the rest: who sees the slot in use sees whose it is. */
static struct board_link *fill(struct links *l, size_t at, int zone, enum board_link_way way, const char *peer) {
    struct board_link *k = &l->table[at];
    uint64_t tag = zone < LIMIT_ZONES ? zone_tag(l, zone) : 0;
    const struct board_link *former = find_former(l, tag, way, peer);
    board_link_open(k);
    memset(&k->way, 0, sizeof *k - offsetof(struct board_link, way));
    if (former != NULL)
        memcpy(&k->way, &former->way, sizeof *k - offsetof(struct board_link, way));
    board_set(&k->held, 0);
    board_set(&k->zone, (uint64_t)zone);
    board_set(&k->zone_tag, tag);
    text_copy(k->peer, sizeof k->peer, peer);
    board_set(&k->way, way);
    board_link_close(k);
    l->key[at] = link_key(tag, way, peer);
    return k;
}

static bool is_link(const struct board_link *k, int zone, uint64_t tag, enum board_link_way way, const char *peer) {
    return board_get(&k->zone) == (uint64_t)zone && board_get(&k->zone_tag) == tag && board_get(&k->way) == way &&
           strncmp(k->peer, peer, sizeof k->peer) == 0;
}

struct board_link *links_get(struct links *l, int zone, enum board_link_way way, const char *peer) {
    char name[BOARD_PEER_MAX];
    size_t free_at = l->count;
    text_copy(name, sizeof name, peer);
    uint64_t tag = zone_tag(l, zone);
    uint32_t key = link_key(tag, way, name);
    for (size_t i = 0; i < l->count; i++) {
        if (l->key[i] == key && is_link(&l->table[i], zone, tag, way, name))
            return &l->table[i];
        if (l->key[i] == 0)
            free_at = i;
    }
    if (free_at < LIMIT_LINKS - 1) {
        l->count += free_at == l->count;
        return fill(l, free_at, zone, way, name);
    }
    struct board_link *others = &l->table[LIMIT_LINKS - 1];
    if (l->count < LIMIT_LINKS) {
        l->count = LIMIT_LINKS;
        return fill(l, LIMIT_LINKS - 1, LIMIT_ZONES, way, "others");
    }
    return others;
}

void links_forget(struct links *l, int zone, const char *peer) {
    for (size_t i = 0; i < l->count; i++) {
        struct board_link *k = &l->table[i];
        if (l->key[i] == 0 || board_get(&k->zone) != (uint64_t)zone ||
            (peer != NULL && strncmp(k->peer, peer, sizeof k->peer) != 0))
            continue;
        uint64_t way = board_get(&k->way);
        board_link_open(k);
        memset(&k->way, 0, sizeof *k - offsetof(struct board_link, way));
        board_set(&k->zone, LIMIT_ZONES);
        board_set(&k->way, way);
        board_link_close(k);
        l->key[i] = 0;
    }
}

static enum board_link_state state_of(int code) {
    switch (code) {
    case 0:
        return LINK_OK;
    case E_TIMEOUT:
    case E_CLOSED:
    case E_SYSTEM:
        return LINK_UNREACHABLE;
    case E_DENIED:
        return LINK_DENIED;
    default:
        return LINK_BROKEN;
    }
}

void link_tried(struct board_link *k, int code, const char *text) {
    uint64_t now = (uint64_t)clock_wall_ms();
    if (strncmp(k->error, text, sizeof k->error) != 0) {
        board_link_open(k);
        text_copy(k->error, sizeof k->error, text);
        board_link_close(k);
    }
    board_set(&k->tried_wall_ms, now);
    board_set(&k->state, state_of(code));
    if (code == 0)
        board_set(&k->failing_since_wall_ms, 0);
    else if (board_get(&k->failing_since_wall_ms) == 0)
        board_set(&k->failing_since_wall_ms, now);
}

void link_error(struct board_link *k, const char *text) { link_tried(k, text[0] == '\0' ? 0 : E_INVALID, text); }

/* The other side spoke: that it cannot be reached, or lets nobody in, is no longer true. */
static void link_alive(struct board_link *k) {
    uint64_t now = (uint64_t)clock_wall_ms(), state = board_get(&k->state);
    board_set(&k->heard_wall_ms, now);
    if (state != LINK_BROKEN && state != LINK_OK)
        link_tried(k, 0, "");
}

/* The longer a message was on its way, the slower the other clock looks: the largest offset is nearest to the truth. */
static void link_clock(struct board_link *k, int64_t wall_ms) {
    int64_t seen = wall_ms - clock_wall_ms(), had = (int64_t)board_get(&k->clock_offset_ms);
    bool known = board_get(&k->clock_known) != 0;
    if (known && seen < had && had - seen < CLOCK_JUMP_MS)
        seen = had - (had - seen) / CLOCK_SETTLE;
    board_set(&k->clock_offset_ms, (uint64_t)seen);
    board_set(&k->clock_known, 1);
}

static void path_text(char to[BOARD_PATH_MAX], const struct native_state *st) {
    size_t size = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < st->path_count && i < NATIVE_PATH; i++) {
        int n = snprintf(to + size, BOARD_PATH_MAX - size, "%s%.*s", i > 0 ? " > " : "", NATIVE_NODE - 1, st->path[i]);
        if (n < 0 || (size_t)n >= BOARD_PATH_MAX - size)
            return; /* cut: the text says where it began */
        size += (size_t)n;
    }
}

static void put_digest(uint8_t to[16], const struct digest *d) {
    put_u64(to, d->hi);
    put_u64(to + 8, d->lo);
}

void link_heard(struct board_link *k, const struct native_state *st) {
    char path[BOARD_PATH_MAX];
    bool have = (st->flags & NATIVE_HAVE) != 0;
    path_text(path, st);
    board_link_open(k);
    memcpy(k->path, path, sizeof k->path);
    if (st->path_count > 0 && st->path_count <= NATIVE_PATH)
        text_copy(k->node, sizeof k->node, st->path[st->path_count - 1]);
    if (have)
        put_digest(k->digest, &st->digest);
    board_set(&k->serial, have ? st->serial : 0);
    board_set(&k->serial_known, have);
    board_set(&k->digest_known, have);
    board_set(&k->commit, st->commit);
    board_set(&k->epoch, st->epoch);
    board_link_close(k);
    board_set(&k->native, 1);
    if (st->stamp_ms > 0)
        board_set(&k->stamp_wall_ms, (uint64_t)st->stamp_ms);
    link_clock(k, st->wall_ms);
    link_alive(k);
}

void link_serial(struct board_link *k, uint32_t serial) {
    if (board_get(&k->serial_known) == 0 || (uint32_t)board_get(&k->serial) != serial) {
        board_link_open(k);
        board_set(&k->serial, serial);
        board_set(&k->serial_known, 1);
        board_set(&k->digest_known, 0); /* that of another serial */
        board_link_close(k);
    }
    link_alive(k);
}

void link_transfer(struct board_link *k, enum board_transfer kind, enum board_transfer_result result, uint64_t octets,
                   uint64_t micros) {
    if (kind >= TRANSFER_KINDS || result >= TRANSFER_RESULTS)
        return;
    board_add(&k->transfers[kind][result], 1);
    board_set(&k->transfer_us, micros);
    board_set(&k->transfer_bytes, octets);
    board_add(&k->transfer_sum_us, micros);
}
