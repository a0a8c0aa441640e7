/* What a process starts with: the version that is tried, the one that holds, or the file alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resolver/base/bytes.h"
#include "resolver/base/conf_remote.h"
#include "resolver/base/log.h"

static void give_up(struct remote_version *v, const char *state, const char *why) {
    struct err err = {.text = ""};
    text_copy(v->words, sizeof v->words, why);
    LOG(LEVEL_ERROR, "a version of the configuration is given up: the one before holds", KU("version", v->number),
        KS("why", why));
    free(v->text);
    v->text = NULL;
    v->size = 0;
    if (remote_write(v, state, "refused", &err) < 0 || remote_remove(state, "trying", &err) < 0)
        LOG(LEVEL_ERROR, "that is not written down", KS("why", err.text));
}

static void replace(struct conf **conf, struct conf *with, struct remote_version *v, struct remote_now *now) {
    conf_free(*conf);
    *conf = with;
    now->v = *v;
    now->v.text = NULL;
    now->v.size = 0;
}

/* True: it runs with it. Its start is counted before anything can go wrong with it. */
static bool load_trying(struct conf **conf, struct remote_now *now) {
    char why[REMOTE_WORDS], state[4096];
    struct remote_version v;
    struct err err = {.text = ""};
    struct conf *merged = NULL;
    text_copy(state, sizeof state, (*conf)->node.state);
    int rc = remote_read(&v, state, "trying", &err);
    if (rc == E_NOTFOUND)
        return false;
    if (rc < 0) {
        LOG(LEVEL_ERROR, "a version that was to be tried is not there", KS("why", err.text));
        if (remote_remove(state, "trying", &err) < 0)
            LOG(LEVEL_ERROR, "and cannot be removed", KS("why", err.text));
        return false;
    }
    (void)snprintf(why, sizeof why, "candor-health ended %u times with it before it was confirmed", v.tries);
    bool again = v.tries < REMOTE_TRIES;
    if (again) {
        v.tries++;
        rc = remote_write(&v, state, "trying", &err);
        if (rc == 0)
            rc = conf_remote_merge(&merged, *conf, &v, &err);
        (void)snprintf(why, sizeof why, "%.250s", err.text);
    }
    if (again && rc == 0) {
        replace(conf, merged, &v, now);
        now->trying = true;
    } else {
        give_up(&v, state, why);
    }
    remote_version_free(&v);
    return now->trying;
}

static void load_applied(struct conf **conf, struct remote_now *now) {
    struct remote_version v;
    struct err err = {.text = ""};
    struct conf *merged = NULL;
    int rc = remote_read(&v, (*conf)->node.state, "applied", &err);
    if (rc == E_NOTFOUND)
        return;
    if (rc == 0)
        rc = conf_remote_merge(&merged, *conf, &v, &err);
    if (rc == 0) {
        replace(conf, merged, &v, now);
    } else {
        (void)snprintf(now->words, sizeof now->words, "version %llu does not hold, candor.yaml alone does: %.180s",
                       (unsigned long long)v.number, err.text);
        LOG(LEVEL_ERROR, "the configuration of the catalog does not hold", KS("why", err.text));
    }
    remote_version_free(&v);
}

void conf_remote_load(struct conf **conf, bool may_try, struct remote_now *now) {
    *now = (struct remote_now){.trying = false};
    if ((*conf)->node.remote.catalog[0] == '\0')
        return;
    if (!may_try || !load_trying(conf, now))
        load_applied(conf, now);
    (*conf)->node.remote.now = now;
    if (now->v.number > 0)
        LOG(LEVEL_INFO, "the configuration of a catalog holds", KS("catalog", (*conf)->node.remote.catalog),
            KU("version", now->v.number), KU("on_trial", now->trying));
}
