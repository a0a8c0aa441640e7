/* What spans sections. */
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf_fill.h"

/* One port that a program of the node opens. */
struct port {
    const char *section, *key;
    const struct addr *address;
    bool udp, tcp;
};

enum { PORTS_MAX = LIMIT_LISTEN * 6 };

struct ports {
    struct port at[PORTS_MAX];
    size_t count;
};

static void open_port(struct conf_reader *r, struct ports *p, struct port new, size_t index) {
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < p->count && r->rc == E_OK; i++) {
        const struct port *old = &p->at[i];
        if (!addr_same(old->address, new.address) || !((old->udp && new.udp) || (old->tcp && new.tcp)))
            continue;
        conf_enter(r, new.section);
        conf_enter(r, new.key);
        conf_enter_at(r, index);
        conf_fail(r, E_INVALID, NULL, "a port of its own: %s is taken by %s.%s", addr_text(new.address, text),
                  old->section, old->key);
        conf_leave(r);
        conf_leave(r);
        conf_leave(r);
    }
    if (p->count < ARRAY_SIZE(p->at))
        p->at[p->count++] = new;
}

static void check_ports(struct conf_reader *r) {
    struct ports p = {.count = 0};
    const struct conf *c = r->conf;
    for (size_t i = 0; i < c->resolver.listen_count; i++) {
        const struct conf_listen *l = &c->resolver.listen[i];
        open_port(r, &p, (struct port){"resolver", "listen", &l->address, !l->tls, true}, i);
    }
    for (size_t i = 0; i < c->rbl.listen.count; i++)
        open_port(r, &p, (struct port){"rbl", "listen", &c->rbl.listen.at[i], true, true}, i);
    for (size_t i = 0; i < c->rbl.tls.listen.count; i++)
        open_port(r, &p, (struct port){"rbl", "tls", &c->rbl.tls.listen.at[i], false, true}, i);
    for (size_t i = 0; i < c->health.listen.count; i++)
        open_port(r, &p, (struct port){"health", "listen", &c->health.listen.at[i], false, true}, i);
    for (size_t i = 0; i < c->health.agent_check.count; i++)
        open_port(r, &p, (struct port){"health", "agent-check", &c->health.agent_check.at[i], false, true}, i);
}

/* The board has a slot for each. */
static void check_upstreams(struct conf_reader *r) {
    struct addr distinct[LIMIT_UPSTREAMS];
    if (conf_upstreams(r->conf, distinct, LIMIT_UPSTREAMS) <= LIMIT_UPSTREAMS)
        return;
    conf_enter(r, "resolver");
    conf_fail(r, E_FULL, "forward", "at most %d distinct addresses in all `to:` lists", LIMIT_UPSTREAMS);
    conf_leave(r);
}

void conf_cross_check(struct conf_reader *r) {
    if (r->rc == E_OK)
        check_ports(r);
    if (r->rc == E_OK)
        check_upstreams(r);
    if (r->rc == E_OK)
        conf_cross_remote(r);
}
