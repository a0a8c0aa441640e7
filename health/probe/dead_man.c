/* Dead man's switches are fed on evidence: that this monitor judges, hears and asks. Otherwise they are left alone, and
 * somebody outside raises the alarm. */
#include <stdio.h>
#include <stdlib.h>

#include "health/probe/alert.h"
#include "resolver/base/clock.h"

struct dead_men {
    struct prober *p;
    int64_t opened_ms;
    size_t count;
    struct {
        struct dead_man *dead_man;
        char address[ADDR_TEXT_MAX];
        size_t check, certificate;
        uint32_t interval_ms;
    } at[LIMIT_PEERS];
};

int dead_men_open(struct dead_men **out, struct prober *p, struct receiver_list *list) {
    const struct conf_health *h = &p->conf->health;
    struct err err = {.text = ""};
    *out = NULL;
    if (h->monitor.dead_man_count == 0)
        return 0;
    struct dead_men *d = *out = calloc(1, sizeof *d);
    if (d == NULL)
        return E_NOMEM;
    d->p = p;
    d->opened_ms = clock_mono_ms();
    for (size_t i = 0; i < h->monitor.dead_man_count && i < LIMIT_PEERS; i++) {
        const struct conf_sink *to = &h->monitor.dead_man[i];
        addr_text(&to->address, d->at[d->count].address);
        d->at[d->count].interval_ms = to->interval_s * 1000;
        int rc = dead_man_open(&d->at[d->count].dead_man, to, &err);
        int check = rc < 0 ? verdict_add_off(&p->book, SCOPE_MONITOR, "monitor", "dead_man", d->at[d->count].address,
                                             err.text, clock_wall_ms())
                           : verdict_add(&p->book, SCOPE_MONITOR, "monitor", "dead_man", d->at[d->count].address,
                                         h->interval.push_ms, false);
        int other = rc < 0 || check < 0 ? check
                                        : verdict_add(&p->book, SCOPE_MONITOR, "dead_man", "certificate",
                                                      d->at[d->count].address, h->interval.push_ms, false);
        if (other < 0)
            return other;
        d->at[d->count].check = (size_t)check;
        d->at[d->count].certificate = (size_t)other;
        if (rc < 0)
            continue;
        list->dead_man[list->dead_men].address = d->at[d->count].address;
        list->dead_man[list->dead_men++].dead_man = d->at[d->count++].dead_man;
    }
    return 0;
}

/* Why they are not to be fed; NULL: there is proof that they may. */
static const char *why_not(const struct dead_men *d, const struct alert_look *l, int64_t mono_ms) {
    const struct prober *p = d->p;
    if (l->cut_off[0] != '\0')
        return "this monitor is cut off";
    if (l->nodes == 0)
        return "it watches nobody";
    if (!l->quorum_passes)
        return "it is not known yet whether it hears enough nodes";
    if (l->heard == 0 && l->asked < l->nodes)
        return "no node has reported lately, and not all have been asked";
    if (l->part[0] != '\0')
        return l->part;
    if (mono_ms - p->judged_ms > (int64_t)VERDICT_AGE_INTERVALS * p->conf->health.interval.local_ms ||
        prober_late(p, mono_ms - (int64_t)p->conf->health.interval.local_ms))
        return "it was late itself";
    return NULL;
}

static void judge(struct dead_men *d, size_t i, const char *why, int64_t mono_ms) {
    const struct dead_man_news *n = dead_man_news(d->at[i].dead_man);
    int64_t silent_ms = mono_ms - (n->fed_mono_ms != 0 ? n->fed_mono_ms : d->opened_ms);
    struct evidence e = {.wall_ms = clock_wall_ms(), .value = (double)silent_ms / 1000, .unit = "s"};
    bool late = silent_ms > 2 * (int64_t)d->at[i].interval_ms;
    (void)snprintf(e.asked, sizeof e.asked, "the dead man's switch at %s", d->at[i].address);
    text_copy(e.server, sizeof e.server, d->at[i].address);
    if (why != NULL)
        (void)snprintf(e.came, sizeof e.came, "not fed: %.200s", why);
    else if (n->trouble[0] != '\0')
        (void)snprintf(e.came, sizeof e.came, "it could not be fed: %.160s", n->trouble);
    else if (n->fed_mono_ms == 0 || late)
        (void)snprintf(e.came, sizeof e.came, "not fed for %lld s%s", (long long)silent_ms / 1000,
                       n->busy_since_mono_ms != 0 ? ": a try is under way" : "");
    else
        (void)snprintf(e.came, sizeof e.came, "fed %lld s ago", (long long)silent_ms / 1000);
    bool well = why == NULL && n->trouble[0] == '\0' && n->fed_mono_ms != 0 && !late;
    (void)prober_result(d->p, d->at[i].check, well ? VERDICT_PASS : VERDICT_WARN, &e);
    certificate_judge(d->p, d->at[i].certificate, d->at[i].address, n->not_after_wall_s);
}

void dead_men_look(struct dead_men *d, const struct alert_look *l, int64_t mono_ms) {
    if (d == NULL)
        return;
    const char *why = why_not(d, l, mono_ms);
    int64_t leave_ms = (int64_t)VERDICT_AGE_INTERVALS * d->p->conf->health.interval.local_ms;
    for (size_t i = 0; i < d->count; i++) {
        dead_man_say(d->at[i].dead_man, why == NULL ? mono_ms + leave_ms : INT64_MIN);
        judge(d, i, why, mono_ms);
    }
}

void dead_men_close(struct dead_men *d) {
    for (size_t i = 0; d != NULL && i < d->count; i++)
        dead_man_close(d->at[i].dead_man);
    free(d);
}
