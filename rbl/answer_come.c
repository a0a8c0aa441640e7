/* Zones that come, change and go while questions are answered: between two batches, when the board says that the list
 * of members is another. */
#include "rbl/answer_impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

static void leave(struct answer_zone *z) {
    answer_zone_close(z);
    *z = (struct answer_zone){.apex.size = 0};
}

/* Another zone, none, or the same one with other options: what was made of them is made anew. */
static void changed(void *ctx, size_t place) {
    struct answer *s = ctx;
    struct answer_zone *z = &s->zone[place];
    const struct conf_zone *conf = &s->conf->rbl.zones[place];
    struct name apex;
    struct err err;
    bool there = conf->name[0] != '\0' && name_from_text(&apex, conf->name, NULL) == 0;
    if (z->apex.size > 0 && there && name_equal(&z->apex, &apex)) {
        answer_zone_options(z);
        return;
    }
    leave(z);
    if (answer_take(s, place, &err) < 0) {
        LOG(LEVEL_ERROR, "a zone that came cannot be served", KS("zone", conf->name), KS("why", err.text));
        leave(z);
    }
}

void answer_members(struct answer *s) {
    struct err err = {.text = ""};
    /* Before the file: what is written meanwhile is read again. */
    s->members_epoch = board_get(&s->board->members_epoch);
    int rc = conf_members_read(s->members, changed, s, &err);
    if (rc < 0 && rc != E_NOTFOUND)
        LOG(LEVEL_ERROR, "the list of members cannot be read, the last one stays", KS("why", err.text));
    conf_members_sweep(s->members, clock_mono_ms(), NULL, NULL);
    rc = answer_index(s, &err);
    if (rc < 0)
        LOG(LEVEL_ERROR, "zones that came are not served yet", KS("why", err.text));
}
