#include "health/probe/config_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/base/log.h"
#include "resolver/base/rand.h"

enum {
    CONFIG_LOOK_MS = 1000,
    CONFIG_REST_MS = 30000,
    CONFIG_SPREAD = 16,
    CONFIG_PUSHES = 3,
    ACKNOWLEDGED_LATE_MS = 5000
};

enum work { WORK_LOOK, WORK_TRY, WORK_KEEP, WORK_GIVE_UP };

/* What the pool does; outlives the probe when that is closed first. */
struct config_job {
    struct config_probe *of; /* NULL: closed */
    enum work work;
    const struct conf *conf; /* of the process */
    struct remote_version offered, refused;
    uint64_t epoch;
    bool fits;
    int code;
    struct err err;
};

/* --- on the pool --- */

static void read_into(struct remote_version *v, const char *state, const char *name, struct err *err, int *code) {
    int rc = remote_read(v, state, name, err);
    if (rc < 0 && rc != E_NOTFOUND)
        *code = rc;
}

static void refuse(struct config_job *j, const char *words) {
    struct remote_version r = j->offered;
    r.text = NULL;
    r.size = 0;
    text_copy(r.words, sizeof r.words, words);
    j->refused = r;
    j->code = remote_write(&r, j->conf->node.state, "refused", &j->err);
}

static void try_it(struct config_job *j) {
    struct conf *merged = NULL;
    struct err words = {.text = ""};
    j->fits = conf_remote_merge(&merged, j->conf, &j->offered, &words) == 0;
    conf_free(merged);
    if (!j->fits) {
        refuse(j, words.text);
        return;
    }
    j->offered.tries = 0;
    j->offered.wall_s = clock_wall_s();
    j->code = remote_write(&j->offered, j->conf->node.state, "trying", &j->err);
}

static void work(void *ctx) {
    struct config_job *j = ctx;
    const char *state = j->conf->node.state;
    if (j->work == WORK_LOOK) {
        read_into(&j->offered, state, "offered", &j->err, &j->code);
        read_into(&j->refused, state, "refused", &j->err, &j->code);
    } else if (j->work == WORK_TRY) {
        try_it(j);
    } else if (j->work == WORK_KEEP) {
        j->code = remote_rename(state, "trying", "applied", &j->err);
    } else {
        refuse(j, j->refused.words);
        if (j->code == 0)
            j->code = remote_remove(state, "trying", &j->err);
    }
}

/* --- on the loop --- */

static void job_free(struct config_job *j) {
    remote_version_free(&j->offered);
    remote_version_free(&j->refused);
    free(j);
}

static void looked(struct config_probe *c, struct config_job *j) {
    remote_version_free(&c->offered);
    remote_version_free(&c->refused);
    c->offered = j->offered;
    /* What did not fit may fit candor.yaml as it is now; what was tried and given up stays so. */
    if (c->looked || j->refused.tries > 0)
        c->refused = j->refused;
    j->offered = j->refused = (struct remote_version){.number = 0};
    c->epoch = j->epoch;
    c->looked = true;
}

static void tried(struct config_probe *c, struct config_job *j) {
    if (j->fits) {
        LOG(LEVEL_INFO, "another version of the configuration is tried: this process starts anew",
            KU("version", j->offered.number), KU("before", c->now.v.number));
        c->again = true;
        return;
    }
    LOG(LEVEL_ERROR, "a version of the configuration does not fit this node: the one before stays",
        KU("version", j->offered.number), KS("why", j->refused.words));
    c->refused = j->refused;
}

static void given_up(struct config_probe *c, const struct config_job *j) {
    LOG(LEVEL_ERROR, "a version of the configuration is given up: the one before comes back",
        KU("version", j->refused.number), KS("why", j->refused.words));
    c->again = true;
}

static void kept(struct config_probe *c) {
    LOG(LEVEL_INFO, "a version of the configuration has proved itself", KU("version", c->now.v.number));
    c->now.trying = false;
}

static void failed(struct config_probe *c, const struct config_job *j) {
    LOG(LEVEL_ERROR, "the configuration of a catalog cannot be read or written", KS("why", j->err.text));
    c->rest_ms = clock_mono_ms() + CONFIG_REST_MS;
    if (j->work == WORK_LOOK)
        text_copy(c->offered.words, sizeof c->offered.words, j->err.text);
}

static void done(void *ctx) {
    struct config_job *j = ctx;
    struct config_probe *c = j->of;
    if (c != NULL) {
        c->job = NULL;
        if (j->code < 0)
            failed(c, j);
        else if (j->work == WORK_LOOK)
            looked(c, j);
        else if (j->work == WORK_TRY)
            tried(c, j);
        else if (j->work == WORK_KEEP)
            kept(c);
        else
            given_up(c, j);
    }
    job_free(j);
}

/* `about`: what it is about, copied with its text; NULL: nothing. */
static void begin(struct config_probe *c, enum work what, const struct remote_version *about, const char *words) {
    struct config_job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return;
    j->of = c;
    j->work = what;
    j->conf = c->p->conf;
    j->epoch = board_get(&c->p->board->remote_epoch);
    text_copy(j->refused.words, sizeof j->refused.words, words);
    if (about != NULL) {
        j->offered = *about;
        j->offered.text = about->text != NULL ? strndup(about->text, about->size) : NULL;
        j->offered.size = j->offered.text != NULL ? about->size : 0;
    }
    c->job = j;
    if (loop_work(c->p->loop, work, done, j) < 0) {
        c->job = NULL;
        job_free(j);
    }
}

/* --- what a version is measured by --- */

/* Whether anybody who keeps reports has acknowledged one of this process lately. */
static bool is_heard(const struct prober *p, int64_t now, bool *ways) {
    const struct sender *s = prober_sender(p);
    const struct sink_list *l = prober_sinks(p);
    int64_t last_ms = 0, old_ms = CONFIG_PUSHES * (int64_t)p->conf->health.interval.push_ms + ACKNOWLEDGED_LATE_MS;
    size_t targets = s != NULL ? sender_count(s) : 0;
    *ways = targets > 0;
    for (size_t i = 0; i < targets; i++)
        if (sender_target(s, i)->acked_mono_ms > last_ms)
            last_ms = sender_target(s, i)->acked_mono_ms;
    for (size_t i = 0; l != NULL && i < l->count; i++) {
        if (strcmp(l->at[i].kind, "https") != 0 && strcmp(l->at[i].kind, "sql") != 0)
            continue;
        *ways = true;
        int64_t at_ms = sink_news(l->at[i].sink)->delivered_mono_ms;
        last_ms = at_ms > last_ms ? at_ms : last_ms;
    }
    return last_ms > 0 && now - last_ms <= old_ms;
}

/* Whether clients get their answers, as far as these options have a say in it: what a zone lacks is not their doing. */
static bool is_well(const struct verdict_book *b, size_t *cause) {
    for (size_t i = 0; i < b->count; i++) {
        const struct verdict_check *c = &b->checks[i];
        bool bad = c->shown == VERDICT_FAIL || c->shown == VERDICT_UNKNOWN;
        *cause = i;
        if (c->readiness && bad && c->scope != SCOPE_ZONES && c->scope != SCOPE_COUNT)
            return false;
    }
    *cause = b->count;
    return b->count > 0;
}

/* What the node has is only known when it has had the time to come to it. */
static void consider(struct config_probe *c, int64_t now) {
    struct prober *p = c->p;
    struct remote_version *v = &c->offered;
    size_t cause;
    bool ways, heard = is_heard(p, now, &ways), ready = is_well(&p->book, &cause);
    bool young = now - p->started_ms < (int64_t)p->conf->node.remote.trial_s * 1000;
    if (v->number == 0 || v->text == NULL || v->words[0] != '\0' || remote_same(v, &c->now.v) ||
        remote_same(v, &c->refused) || (young && (!ready || (ways && !heard))))
        return;
    if (!remote_same(v, &c->next)) {
        c->next = (struct remote_version){.number = v->number};
        text_copy(c->next.digest, sizeof c->next.digest, v->digest);
        c->next_ms = now + rand_below(p->conf->node.remote.trial_s * 1000 / CONFIG_SPREAD);
    }
    if (now < c->next_ms)
        return;
    v->ready = ready;
    v->report = heard;
    begin(c, WORK_TRY, v, "");
}

static void weigh(struct config_probe *c, int64_t now) {
    struct prober *p = c->p;
    const struct remote_version *v = &c->now.v;
    char words[REMOTE_WORDS];
    size_t cause;
    bool ways, heard = is_heard(p, now, &ways), ready = is_well(&p->book, &cause);
    int64_t lived_ms = now - p->started_ms, trial_ms = (int64_t)p->conf->node.remote.trial_s * 1000;
    if ((ready || !v->ready) && (heard || !v->report)) {
        begin(c, WORK_KEEP, NULL, "");
        return;
    }
    if (lived_ms < trial_ms)
        return;
    if (!ready && v->ready) {
        char label[CHECK_ID_MAX + 64];
        (void)snprintf(words, sizeof words, "with it the node was not ready within %lld s: %.80s: %.100s",
                       (long long)trial_ms / 1000,
                       cause < p->book.count ? verdict_label(&p->book.checks[cause], label, sizeof label) : "not ready",
                       cause < p->book.count ? p->book.checks[cause].evidence.came : "");
    } else {
        (void)snprintf(words, sizeof words, "with it %s within %lld s, and before somebody did",
                       ways ? "nobody acknowledged a report" : "there is nobody to report to",
                       (long long)trial_ms / 1000);
    }
    begin(c, WORK_GIVE_UP, v, words);
}

static void config_start(struct task *task) {
    struct config_probe *c = CONTAINER_OF(task, struct config_probe, task);
    int64_t now = clock_mono_ms();
    c->ran = true;
    if (c->job == NULL && !c->again && now >= c->rest_ms) {
        if (!c->looked || board_get(&c->p->board->remote_epoch) != c->epoch)
            begin(c, WORK_LOOK, NULL, "");
        else if (c->now.trying)
            weigh(c, now);
        else
            consider(c, now);
    }
    config_say(c, now);
    task_done(task, -1);
}

int config_open(struct prober *p) {
    const struct conf_remote *r = &p->conf->node.remote;
    uint32_t local_ms = p->conf->health.interval.local_ms;
    if (r->catalog[0] == '\0' || r->now == NULL)
        return 0;
    struct config_probe *c = p->config = calloc(1, sizeof *c);
    if (c == NULL)
        return E_NOMEM;
    c->p = p;
    c->now = *r->now;
    int version = verdict_add(&p->book, SCOPE_REPLICATION, "config", "version", r->catalog, local_ms, false);
    int applied = verdict_add(&p->book, SCOPE_REPLICATION, "config", "applied", r->catalog, local_ms, false);
    if (version < 0 || applied < 0)
        return version < 0 ? version : applied;
    c->version_check = (size_t)version;
    c->applied_check = (size_t)applied;
    return prober_add(p, &c->task, config_start, local_ms < CONFIG_LOOK_MS ? local_ms : CONFIG_LOOK_MS, false);
}

/* A stop that somebody asked for in the middle of a trial speaks against nothing. */
static void start_not_counted(const struct config_probe *c) {
    struct remote_version v;
    struct err err = {.text = ""};
    const char *state = c->p->conf->node.state;
    if (!c->now.trying || !c->ran || c->again || remote_read(&v, state, "trying", &err) < 0)
        return;
    v.tries -= v.tries > 0;
    if (remote_write(&v, state, "trying", &err) < 0)
        LOG(LEVEL_WARN, "a version on trial stays counted as started", KS("why", err.text));
    remote_version_free(&v);
}

void config_close(struct prober *p) {
    struct config_probe *c = p->config;
    if (c == NULL)
        return;
    if (c->job != NULL)
        c->job->of = NULL;
    else
        start_not_counted(c);
    remote_version_free(&c->offered);
    remote_version_free(&c->refused);
    free(c);
}

bool prober_again(const struct prober *p) { return p->config != NULL && p->config->again; }
