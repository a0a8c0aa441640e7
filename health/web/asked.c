#include "health/web/asked.h"

#include <strings.h>

const char *asked_wrong_name(enum board_wrong what) {
    static const char *const names[WRONG_COUNT] = {"forward", "name", "address"};
    return what < WRONG_COUNT ? names[what] : "?";
}

const struct board_asked *asked_of(const struct snapshot_source *s, size_t index) {
    if (index >= LIMIT_ZONES || index >= board_get(&s->board->zone_count))
        return NULL;
    const struct board_zone *z = &s->board->zone[index];
    bool same = strncasecmp(z->name, s->conf->rbl.zones[index].name, sizeof(z->name)) == 0;
    return same && z->name[0] != '\0' ? &s->board->asked[index] : NULL;
}

void render_asked(struct text *t, const struct snapshot_source *s) {
    const char *between = "";
    for (size_t i = 0; i < s->conf->rbl.zone_count; i++) {
        const struct board_asked *a = asked_of(s, i);
        if (a == NULL)
            continue;
        text_put(t, between);
        text_json(t, s->conf->rbl.zones[i].name);
        text_fmt(t, ":{\"listed\":%llu,\"unlisted\":%llu,\"wrong\":{", (unsigned long long)board_get(&a->listed),
                 (unsigned long long)board_get(&a->unlisted));
        for (int w = 0; w < WRONG_COUNT; w++)
            text_fmt(t, "%s\"%s\":%llu", w > 0 ? "," : "", asked_wrong_name((enum board_wrong)w),
                     (unsigned long long)board_get(&a->wrong[w]));
        text_put(t, "}}");
        between = ",";
    }
}
