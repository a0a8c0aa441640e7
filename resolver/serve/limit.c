/* When the next answer would be due, were all spread evenly, is all that is kept of a network (the "generic cell rate
 * algorithm"): how far that lies ahead is what the network owes. */
#include "resolver/serve/limit.h"

#include <stdlib.h>

#include "resolver/base/log.h"
#include "resolver/base/rand.h"
#include "resolver/dns/siphash.h"
#include "resolver/serve/network.h"

enum { WAYS = 4, LINE = 64, SETS = LIMIT_NETWORKS / WAYS };

struct place {
    uint64_t who;
    int64_t due_ns; /* 0: nobody's */
};

struct limit {
    const struct conf_rate_limit *conf;
    int64_t each_ns[2]; /* between two answers; [1] errors; 0: no limit */
    uint8_t key[SIPHASH_KEY];
    int64_t logged_ns;
    uint64_t limited; /* since then */
    _Alignas(LINE) struct place place[SETS][WAYS];
};
_Static_assert(sizeof(struct place[WAYS]) == LINE, "one set is one cache line");

int limit_open(struct limit **out, const struct conf_rate_limit *conf, struct err *err) {
    uint32_t errors = conf->errors_per_second > 0 ? conf->errors_per_second : conf->responses_per_second;
    *out = NULL;
    if (errors == 0)
        return 0;
    struct limit *l = aligned_alloc(LINE, sizeof *l);
    if (l == NULL)
        return err_set(err, E_NOMEM, "no memory for %zu bytes of rate limits", sizeof *l);
    memset(l, 0, sizeof *l);
    l->conf = conf;
    l->each_ns[0] = conf->responses_per_second > 0 ? NS_PER_S / conf->responses_per_second : 0;
    l->each_ns[1] = NS_PER_S / errors;
    rand_bytes(l->key, sizeof l->key);
    *out = l;
    return 0;
}

void limit_close(struct limit *l) { free(l); }

static struct place *place_of(struct limit *l, uint64_t who) {
    uint8_t octets[sizeof who];
    memcpy(octets, &who, sizeof who);
    struct place *set = l->place[siphash24(l->key, octets, sizeof octets) % SETS], *least = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].due_ns != 0 && set[i].who == who)
            return &set[i];
        if (set[i].due_ns < least->due_ns)
            least = &set[i];
    }
    *least = (struct place){.who = who};
    return least;
}

static void say(struct limit *l, const struct addr *peer, int64_t now_ns) {
    char text[PREFIX_TEXT_MAX];
    l->limited++;
    if (l->logged_ns != 0 && now_ns - l->logged_ns < LIMIT_LOG_EVERY_MS * NS_PER_MS)
        return;
    LOG(LEVEL_WARN, "more answers asked for than rate-limit allows", KS("network", network_text(peer, text)),
        KU("limited", l->limited));
    l->logged_ns = now_ns;
    l->limited = 0;
}

static enum limit_verdict refuse(const struct limit *l) {
    return l->conf->slip > 0 && rand_below(l->conf->slip) == 0 ? LIMIT_SLIP : LIMIT_DROP;
}

enum limit_verdict limit_take(struct limit *l, const struct addr *peer, bool error, int64_t now_ns) {
    bool apart = error && l->conf->errors_per_second > 0;
    int64_t each_ns = l->each_ns[error];
    if (each_ns == 0 || prefix_list_has(l->conf->exempt.at, l->conf->exempt.count, peer))
        return LIMIT_PASS;
    struct place *p = place_of(l, network_of(peer) << 1 | apart);
    int64_t owed_ns = p->due_ns > now_ns ? p->due_ns - now_ns : 0;
    bool passes = owed_ns + each_ns <= LIMIT_BURST_NS;
    owed_ns += each_ns;
    if (owed_ns > LIMIT_BURST_NS + LIMIT_DEBT_NS)
        owed_ns = LIMIT_BURST_NS + LIMIT_DEBT_NS;
    p->due_ns = now_ns + owed_ns;
    if (passes)
        return LIMIT_PASS;
    say(l, peer, now_ns);
    return refuse(l);
}
