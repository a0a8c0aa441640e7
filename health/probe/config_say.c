/* What is said of the options that come from a catalog: two checks, and what other documents show. */
#include <stdio.h>

#include "health/probe/config_impl.h"
#include "resolver/base/clock.h"

static bool offers_another(const struct config_probe *c) {
    return c->offered.number > 0 && !remote_same(&c->offered, &c->now.v);
}

static bool is_refused(const struct config_probe *c) {
    return offers_another(c) && remote_same(&c->offered, &c->refused);
}

static enum verdict_state judge_version(struct config_probe *c, int64_t now, struct evidence *e) {
    unsigned long long have = c->now.v.number, said = c->offered.number;
    bool gone = c->looked && said == 0 && have > 0, refused = is_refused(c);
    if (!offers_another(c))
        c->other_ms = 0;
    else if (c->other_ms == 0)
        c->other_ms = now;
    e->value = (double)have;
    e->unit = "version";
    if (c->offered.words[0] != '\0') {
        (void)snprintf(e->came, sizeof e->came, "version %llu of the catalog cannot be had, %llu holds: %.150s", said,
                       have, c->offered.words);
        return VERDICT_WARN;
    }
    if (gone) {
        (void)snprintf(e->came, sizeof e->came, "version %llu holds, the catalog has none any more", have);
        return VERDICT_WARN;
    }
    if (c->other_ms == 0) {
        (void)snprintf(e->came, sizeof e->came, have == 0 ? "the catalog has no configuration" : "version %llu holds%s",
                       have, c->now.trying ? ", on trial" : "");
        return VERDICT_PASS;
    }
    (void)snprintf(e->came, sizeof e->came, "version %llu holds, the catalog says %llu%s", have, said,
                   refused ? ", which was given up" : "");
    return refused || now - c->other_ms > CONFIG_LATE_MS ? VERDICT_WARN : VERDICT_PASS;
}

static enum verdict_state judge_applied(const struct config_probe *c, struct evidence *e) {
    unsigned long long have = c->now.v.number, said = c->offered.number;
    if (c->now.words[0] != '\0') {
        (void)snprintf(e->came, sizeof e->came, "%.230s", c->now.words);
        return VERDICT_FAIL;
    }
    if (is_refused(c)) {
        (void)snprintf(e->came, sizeof e->came, "version %llu was given up, %llu holds: %.170s", said, have,
                       c->refused.words);
        return VERDICT_FAIL;
    }
    if (have == 0)
        text_copy(e->came, sizeof e->came, "candor.yaml alone");
    else
        (void)snprintf(e->came, sizeof e->came, "version %llu %s", have, c->now.trying ? "is on trial" : "holds");
    return VERDICT_PASS;
}

void config_say(struct config_probe *c, int64_t now) {
    struct evidence version = {.wall_ms = clock_wall_ms()}, applied = version;
    text_copy(version.asked, sizeof version.asked, "the version that holds here, against its catalog's");
    text_copy(applied.asked, sizeof applied.asked, "what became of the last version");
    (void)prober_result(c->p, c->version_check, judge_version(c, now, &version), &version);
    (void)prober_result(c->p, c->applied_check, judge_applied(c, &applied), &applied);
}

const struct remote_view *prober_config(const struct prober *p) {
    struct config_probe *c = p->config;
    if (c == NULL)
        return NULL;
    bool refused = is_refused(c);
    c->view = (struct remote_view){.catalog = p->conf->node.remote.catalog,
                                   .version = c->now.v.number,
                                   .offered = c->offered.number,
                                   .trying = c->now.trying,
                                   .since_wall_s = c->now.v.wall_s,
                                   .words = c->now.words[0] != '\0'       ? c->now.words
                                            : c->offered.words[0] != '\0' ? c->offered.words
                                            : refused                     ? c->refused.words
                                                                          : ""};
    return &c->view;
}
