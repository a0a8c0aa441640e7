/* Any bytes as a configuration: refused with a text, or taken whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/conf.h"
#include "resolver/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What programs rely on without looking again. */
static void check(const struct conf *c) {
    struct addr to[LIMIT_UPSTREAMS];
    if (c->node.state[0] != '/' || c->node.run[0] != '/' || strlen(c->node.run) > LIMIT_CONF_RUN)
        abort();
    if (c->resolver.listen_count == 0 || c->resolver.listen_count > LIMIT_LISTEN || c->health.listen.count == 0)
        abort();
    if (c->resolver.workers == 0 || c->resolver.workers > LIMIT_WORKERS || c->rbl.zone_count > LIMIT_ZONES)
        abort();
    if (conf_upstreams(c, to, LIMIT_UPSTREAMS) > LIMIT_UPSTREAMS)
        abort();
    for (size_t i = 0; i < c->rbl.zone_count; i++) {
        const char *name = c->rbl.zones[i].name;
        size_t n = strlen(name);
        if (n < 2 || n >= LIMIT_NAME_WIRE || name[n - 1] != '.')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct conf *c = NULL;
    struct err err = {0};
    int rc = conf_read_text(&c, (const char *)data, size, "/base", "f", &err);
    if (rc == E_OK)
        check(c);
    else if (c != NULL || rc > 0 || strncmp(err.text, "f:", 2) != 0)
        abort();
    conf_free(c);
    return 0;
}
