#include "health/command/traffic.h"

#include "resolver/base/log.h"

enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5 };

void traffic_read(struct traffic *t, const struct board *b) {
    *t = (struct traffic){0};
    for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
        const struct board_worker *w = &b->worker[i];
        for (unsigned p = 0; p < PROTO_COUNT; p++)
            for (unsigned f = 0; f < FAMILY_COUNT; f++)
                t->queries += board_get(&w->queries[p][f]);
        for (unsigned s = 0; s < SOURCE_COUNT; s++)
            for (unsigned r = 0; r < BOARD_RCODES; r++)
                *(r == NOERROR    ? &t->answers
                  : r == NXDOMAIN ? &t->nxdomain
                  : r == REFUSED  ? &t->refused
                  : r == SERVFAIL ? &t->servfail
                                  : &t->other) += board_get(&w->responses[s][r]);
        for (unsigned d = 0; d < DROP_COUNT; d++)
            t->dropped += board_get(&w->drops[d]);
    }
}

void traffic_log(struct traffic *since, const struct board *b, bool anew) {
    struct traffic t;
    traffic_read(&t, b);
    LOG(LEVEL_INFO, "traffic", KU("queries", t.queries - since->queries), KU("noerror", t.answers - since->answers),
        KU("nxdomain", t.nxdomain - since->nxdomain), KU("refused", t.refused - since->refused),
        KU("servfail", t.servfail - since->servfail), KU("other", t.other - since->other),
        KU("dropped", t.dropped - since->dropped));
    if (anew)
        *since = t;
}
