/* What clients of a prefix live through, counted in one of BOARD_CLIENTS places. Which place that is hangs on a key of
 * this boot: nobody's address stands anywhere, and two prefixes may share one. Probes count for nobody: they ask for
 * NSID, and only those who may know it are told (local_may_know). */
#include "resolver/serve/impl.h"
#include "resolver/serve/network.h"

unsigned client_place(uint64_t key, const struct addr *a) {
    uint64_t h = (network_of(a) ^ key) * 0x9e3779b97f4a7c15ULL;
    return (unsigned)(((h ^ h >> 32) * 0xd6e8feb86659fd93ULL) >> 58) % BOARD_CLIENTS;
}

struct board_client *client_count(const struct serve *s, const struct client *c, const struct dns_query *q) {
    if (s->config.stats == NULL || (q->edns.present && q->edns.nsid_present && local_may_know(s, c)))
        return NULL;
    return &s->config.stats->client[client_place(s->client_key, &c->peer)];
}
