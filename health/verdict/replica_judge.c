/* Verdicts on a zone's replication. The first that holds is said: what is worst for who asks comes first. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "health/verdict/replica_impl.h"

static const struct board_link *link_at(const struct replica *r, size_t i, enum board_link_way way) {
    return i < r->links && r->link[i]->way == way ? r->link[i] : NULL;
}

/* The primary of which most is to be said: what it refuses before its silence. */
struct primaries {
    size_t count, good, unknown;
    const struct board_link *worst;
};

static struct primaries look_at(const struct replica *r) {
    struct primaries p = {0};
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = link_at(r, i, LINK_FROM);
        if (k == NULL)
            continue;
        enum board_link_state s = replica_link_state(r, k);
        p.count++;
        p.good += s == LINK_OK || s == LINK_BEHIND;
        p.unknown += s == LINK_UNKNOWN;
        if (s >= LINK_UNREACHABLE && (p.worst == NULL || s > p.worst->state))
            p.worst = k;
    }
    return p;
}

static void say_worst(const struct primaries *p, char *to, size_t size) {
    to[0] = '\0';
    char why[112];
    if (p->worst != NULL)
        snprintf(to, size, "; %.60s %s: %s", p->worst->peer, replica_link_word(p->worst->state),
                 replica_clip(why, sizeof(why), p->worst->error));
}

/* Ours is newer than what a primary has, and that one had more before. */
static const struct board_link *went_back(const struct replica *r) {
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = link_at(r, i, LINK_FROM);
        if (k != NULL && k->serial_regressions > 0 && k->serial_known != 0 &&
            board_serial_newer(r->z->serial, k->serial))
            return k;
    }
    return NULL;
}

static bool has_data(const struct replica *r) { return r->z->generation[0] != '\0' && r->z->serial != 0; }

static bool has_expired(const struct replica *r) {
    int64_t until_s = (int64_t)r->z->expires_wall_s;
    return r->z->state == ZONE_EXPIRED || (until_s != 0 && until_s * 1000 <= r->now_ms);
}

static enum verdict_state without_data(const struct replica *r, const char *worst, char *came, size_t size) {
    char why[120];
    replica_clip(why, sizeof(why), r->z->error[0] != '\0' ? r->z->error : "the first transfer has not come");
    snprintf(came, size, "no data yet: %s%s", why, worst);
    return VERDICT_FAIL;
}

/* How long data of this zone may be without a word of its source. */
static int64_t most_age_ms(const struct replica *r) {
    int64_t most = replica_refresh_ms(r) + r->allowance_ms;
    for (size_t i = 0; i < r->links; i++)
        if (r->link[i]->way == LINK_FROM && r->link[i]->native != 0)
            return most;
    return most + REPLICA_HEARTBEAT_MS;
}

static enum verdict_state too_old(const struct replica *r, const char *worst, char *came, size_t size) {
    int64_t data = replica_data_age_ms(r), check = replica_check_age_ms(r);
    char age[32];
    if (check > replica_refresh_ms(r) + r->allowance_ms) {
        snprintf(came, size, "serial %" PRIu64 ": no primary has answered for %s%s", r->z->serial,
                 replica_age_text(age, check), worst);
        return VERDICT_FAIL;
    }
    if (data > most_age_ms(r)) {
        snprintf(came, size,
                 "serial %" PRIu64 ": the source was last heard %s ago, though a primary answers: somebody further up "
                 "is cut off%s",
                 r->z->serial, replica_age_text(age, data), worst);
        return VERDICT_FAIL;
    }
    return VERDICT_PASS;
}

static enum verdict_state some_fail(const struct primaries *p, const char *worst, uint64_t serial, char *came,
                                    size_t size) {
    bool denied = p->worst->state == LINK_DENIED && p->good == 0;
    snprintf(came, size, "serial %" PRIu64 ", %zu of %zu primaries well%s", serial, p->good, p->count, worst);
    return denied ? VERDICT_FAIL : VERDICT_WARN;
}

static void say_well(const struct replica *r, char *came, size_t size) {
    char check[32], data[48] = "", age[32];
    if (r->z->stamp_wall_ms != 0)
        snprintf(data, sizeof(data), ", data %s old", replica_age_text(age, replica_data_age_ms(r)));
    snprintf(came, size, "serial %" PRIu64 ", as its primaries have it; checked %s ago%s", r->z->serial,
             replica_age_text(check, replica_check_age_ms(r)), data);
}

enum verdict_state replica_source(const struct replica *r, int64_t behind_ms, char *came, size_t size) {
    struct primaries p = look_at(r);
    char worst[200], age[32];
    say_worst(&p, worst, sizeof(worst));
    if (!has_data(r))
        return without_data(r, worst, came, size);
    if (has_expired(r)) {
        snprintf(came, size, "serial %" PRIu64 " has expired%s", r->z->serial, worst);
        return VERDICT_FAIL;
    }
    const struct board_link *back = went_back(r);
    if (back != NULL) {
        snprintf(came, size,
                 "the serial went backwards: %.60s has %" PRIu32 ", we had %" PRIu32
                 " from it before: nothing is taken",
                 back->peer, (uint32_t)back->serial, (uint32_t)r->z->serial);
        return VERDICT_FAIL;
    }
    if (replica_lag(r) > 0 && behind_ms > r->allowance_ms) {
        uint32_t newest;
        (void)replica_newest(r, &newest);
        snprintf(came, size, "behind for %s: serial %" PRIu64 ", a primary has %" PRIu32 "%s",
                 replica_age_text(age, behind_ms), r->z->serial, newest, worst);
        return VERDICT_FAIL;
    }
    if (too_old(r, worst, came, size) != VERDICT_PASS)
        return VERDICT_FAIL;
    if (p.worst != NULL)
        return some_fail(&p, worst, r->z->serial, came, size);
    if (p.good == 0)
        return VERDICT_UNKNOWN;
    say_well(r, came, size);
    return VERDICT_PASS;
}

enum verdict_state replica_reach(const struct replica *r, char *came, size_t size) {
    enum verdict_state s = VERDICT_PASS;
    size_t good = 0, bad = 0;
    char words[256], first[256] = "", more[48] = "";
    int64_t longest = 0;
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = link_at(r, i, LINK_TO);
        if (k == NULL)
            continue;
        bool expected = replica_expects(r, k);
        int64_t trouble = replica_trouble_ms(r, k, words, sizeof(words));
        int64_t heard = k->heard_wall_ms != 0 ? r->now_ms - (int64_t)k->heard_wall_ms : INT64_MAX;
        if (!expected && (k->native == 0 || heard > REPLICA_FORGOTTEN_MS))
            continue; /* who fetched the zone once, by hand or in a former life */
        good += trouble == 0;
        bad += trouble > 0;
        if (trouble > 0)
            s = verdict_worse(s, expected ? VERDICT_FAIL : VERDICT_WARN);
        if (trouble > longest) {
            longest = trouble;
            memcpy(first, words, sizeof(first));
        }
    }
    if (bad > 1)
        snprintf(more, sizeof(more), "; and %zu more", bad - 1);
    if (bad > 0)
        snprintf(came, size, "%.200s%s", first, more);
    else if (good > 0)
        snprintf(came, size, "serial %" PRIu64 ", %zu secondar%s in step", r->z->serial, good, good == 1 ? "y" : "ies");
    else
        snprintf(came, size, "serial %" PRIu64 ", no secondary has been heard of yet", r->z->serial);
    return good + bad == 0 ? VERDICT_WARN : s;
}

static void short_digest(const uint8_t digest[16], char to[9]) {
    for (int i = 0; i < 4; i++)
        snprintf(to + 2 * i, 3, "%02x", digest[i]);
}

enum verdict_state replica_same(const struct replica *r, char *came, size_t size) {
    size_t same = 0;
    for (size_t i = 0; i < r->links; i++) {
        const struct board_link *k = r->link[i];
        if (k->digest_known == 0 || (uint32_t)k->serial != (uint32_t)r->z->serial)
            continue;
        if (memcmp(k->digest, r->z->digest, sizeof(k->digest)) != 0) {
            char ours[9], theirs[9];
            short_digest(r->z->digest, ours);
            short_digest(k->digest, theirs);
            snprintf(came, size, "serial %" PRIu64 " has other contents at %.60s: digest %s there, %s here",
                     r->z->serial, k->peer, theirs, ours);
            return VERDICT_FAIL;
        }
        same++;
    }
    if (same == 0)
        return VERDICT_UNKNOWN;
    snprintf(came, size, "serial %" PRIu64 ": same digest at %zu node%s", r->z->serial, same, same == 1 ? "" : "s");
    return VERDICT_PASS;
}

enum verdict_state replica_pair(const struct replica *r, char *came, size_t size) {
    const char *role = r->z->role == ROLE_ACTIVE ? "active" : r->z->role == ROLE_STANDBY ? "standby" : "not settled";
    const struct board_link *other = NULL;
    for (size_t i = 0; i < r->links; i++)
        if (replica_expects(r, r->link[i]) && (other == NULL || r->link[i]->epoch > other->epoch))
            other = r->link[i];
    uint64_t epoch = r->z->epoch, theirs = other != NULL ? other->epoch : 0;
    if (r->z->role == ROLE_ACTIVE && theirs > epoch) {
        snprintf(came, size, "%.60s was promoted since: it has epoch %" PRIu64 ", this active node %" PRIu64,
                 other->peer, theirs, epoch);
        return VERDICT_FAIL;
    }
    if (r->z->role != ROLE_ACTIVE && r->z->role != ROLE_STANDBY) {
        snprintf(came, size, "neither active nor standby");
        return VERDICT_FAIL;
    }
    if (r->z->pair_trouble != 0) {
        snprintf(came, size, "%s, epoch %" PRIu64 "; %s", role, epoch, r->z->pair_error);
        return r->z->pair_trouble > 1 ? VERDICT_FAIL : VERDICT_WARN;
    }
    snprintf(came, size, "%s, epoch %" PRIu64 ", %" PRIu64 " updates forwarded, %" PRIu64 " of them in vain", role,
             epoch, r->z->forwarded, r->z->forward_failed);
    return VERDICT_PASS;
}

enum verdict_state replica_clocks(const struct replica_links *l, int64_t now_ms, char *came, size_t size) {
    const struct board_link *worst = NULL;
    int64_t most = 0;
    size_t known = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct board_link *k = l->sorted[i];
        int64_t off = (int64_t)k->clock_offset_ms, size_of = off < 0 ? -off : off;
        bool fresh = now_ms - (int64_t)(k->heard_wall_ms > k->tried_wall_ms ? k->heard_wall_ms : k->tried_wall_ms) <
                     REPLICA_FORGOTTEN_MS;
        if (k->clock_known == 0 || !fresh)
            continue;
        known++;
        if (worst == NULL || size_of > most) {
            worst = k;
            most = size_of;
        }
    }
    if (known == 0)
        return VERDICT_UNKNOWN;
    if (most > REPLICA_CLOCK_MS) {
        char age[32];
        snprintf(came, size, "the clock of %.60s is %s %s ours: TSIG fails at 300 s", worst->peer,
                 replica_age_text(age, most), (int64_t)worst->clock_offset_ms > 0 ? "ahead of" : "behind");
        return VERDICT_WARN;
    }
    snprintf(came, size, "clocks of %zu links within %" PRId64 " ms", known, most);
    return VERDICT_PASS;
}
