#include "health/command/cache_reach.h"

#include <stdlib.h>

#include "resolver/base/board.h"
#include "resolver/base/clock.h"

enum { GONE_MS = 10000 }; /* no heartbeat of the resolver for so long: nobody uses what stands on the board */

const char *const cache_trust_names[TRUST_DATA + 1] = {"none", "additional", "referral", "answer", "authority", "data"};

/* The identity of the cache that the node uses; false: nobody runs, or it has not said so yet. */
static bool used_by_node(const struct conf *conf, uint64_t *identity) {
    const struct board *b;
    struct err err = {0};
    if (board_watch(&b, conf->node.run, &err) < 0)
        return false;
    int64_t beat = (int64_t)board_get(&b->process[ROLE_RESOLVER].heartbeat_ms);
    bool runs = board_get(&b->cache.size) > 0 && clock_mono_ms() - beat < GONE_MS;
    *identity = board_get(&b->cache.identity);
    board_detach(b);
    return runs;
}

static int reach(const struct conf *conf, struct cache **cache, struct err *err) {
    const struct conf_cache *from = &conf->resolver.cache;
    char path[4096];
    uint64_t identity;
    int n = snprintf(path, sizeof path, "%s/cache", conf->node.state);
    if (n < 0 || n >= (int)sizeof path)
        return err_set(err, E_RANGE, "%s: path too long", conf->node.state);
    bool runs = used_by_node(conf, &identity);
    if (runs && identity == 0)
        return err_set(err, E_UNSUPPORTED, "the node's cache is in memory alone: its log says why");
    struct cache_config config = {.path = path,
                                  .min_ttl_s = from->min_ttl_s,
                                  .max_ttl_s = from->max_ttl_s,
                                  .max_negative_ttl_s = from->max_negative_ttl_s};
    int e = cache_attach(cache, &config, err);
    if (e == 0 && runs && cache_identity(*cache) != identity) {
        cache_close(*cache);
        e = err_set(err, E_CORRUPT, "%s: not the file that the node uses: it was replaced", path);
    }
    return e;
}

int cache_reach(const struct args *a, struct cache **cache) {
    struct conf *conf;
    struct err err = {0};
    int e = args_config(a, &conf);
    if (e < 0)
        return e;
    e = reach(conf, cache, &err);
    if (e < 0)
        fprintf(stderr, "candor: cache: %s\n", err.text);
    conf_free(conf);
    return e;
}

int cache_name(const char *text, struct name *name) {
    struct err err = {0};
    int e = name_from_text(name, text, &err);
    if (e < 0)
        fprintf(stderr, "candor: %s: %s\n", text, err.text);
    else
        name_lower(name);
    return e;
}
