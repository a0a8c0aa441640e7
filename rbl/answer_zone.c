#include "rbl/answer_impl.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

static bool everybody(const struct conf_list_prefix *allow) {
    bool v4 = false, v6 = false;
    for (size_t i = 0; i < allow->count; i++) {
        v4 |= allow->at[i].bits == 0 && allow->at[i].family == AF_INET;
        v6 |= allow->at[i].bits == 0 && allow->at[i].family == AF_INET6;
    }
    return v4 && v6;
}

int answer_zone_open(struct answer_zone *z, const struct conf_zone *conf, const struct board_zone *slot,
                     struct err *err) {
    z->conf = conf;
    z->slot = slot;
    z->everybody = everybody(&conf->allow);
    z->ede = EDE_NONE;
    int rc = name_from_text(&z->apex, conf->name, err);
    if (rc < 0)
        return err_prefix(err, "zone %s", conf->name);
    name_lower(&z->apex);
    return 0;
}

void answer_zone_options(struct answer_zone *z) {
    z->everybody = everybody(&z->conf->allow);
    z->made = false;
}

void answer_zone_close(struct answer_zone *z) {
    answer_zone_end(z);
    if (z->view != NULL)
        view_close(z->view);
    z->view = NULL;
    answer_subs_free(z);
}

/* Why there is no answer; the log is told once a minute. */
static void not_ready(struct answer_zone *z, int code, const struct err *err) {
    int64_t now = clock_mono_ms();
    z->ready = z->expired = false;
    z->damaged = code == E_CORRUPT;
    z->retry_at_ms = now + ANSWER_RETRY_MS;
    if (code == E_NOTFOUND) {
        z->ede = EDE_NOT_READY;
        z->ede_text = "zone not loaded yet";
    } else if (code == E_CORRUPT) {
        z->ede = EDE_INVALID_DATA;
        z->ede_text = "zone data is damaged";
    } else {
        z->ede = EDE_OTHER;
        z->ede_text = "zone cannot be read";
    }
    if (z->logged_at_ms != 0 && now - z->logged_at_ms < ANSWER_LOG_MS)
        return;
    z->logged_at_ms = now;
    LOG(code == E_NOTFOUND ? LEVEL_INFO : LEVEL_ERROR, "zone not served", KS("zone", z->conf->name),
        KS("why", z->ede_text), KS("text", err != NULL ? err->text : err_name(code)));
}

void answer_zone_broken(struct answer_zone *z, const struct err *err) { not_ready(z, E_CORRUPT, err); }

static void drop_view(struct answer_zone *z) {
    if (z->view != NULL)
        view_close(z->view);
    z->view = NULL;
    z->made = false;
}

/* $TIMESTAMP has run out, or no primary was reached for the SOA's expire time: no answer, or one that says so. */
static void check_expiry(struct answer *s, struct answer_zone *z) {
    int64_t own = z->data->expires_wall_s, lapses = z->slot != NULL ? (int64_t)board_get(&z->slot->lapses_wall_s) : 0;
    if (own == 0 && lapses == 0)
        return;
    if (s->now_wall_s == 0)
        s->now_wall_s = clock_wall_s();
    if ((own == 0 || s->now_wall_s < own) && (lapses == 0 || s->now_wall_s < lapses))
        return;
    z->expired = true;
    z->ready = z->conf->on_expire == EXPIRE_SERVE_STALE;
    z->ede = z->ready ? EDE_STALE_ANSWER : EDE_INVALID_DATA; /* RFC 8914 section 4.25 names an expired zone */
    z->ede_text = "zone expired";
}

static uint64_t commits(const struct answer_zone *z) { return z->slot != NULL ? board_get(&z->slot->commits) : 0; }

/* At most once a second, or when the board tells of a commit. */
static int open_view(struct answer *s, struct answer_zone *z, struct err *err) {
    if (z->view != NULL)
        return 0;
    uint64_t hint = commits(z);
    if (hint == z->tried_hint && clock_mono_ms() < z->retry_at_ms)
        return E_AGAIN;
    z->tried_hint = hint;
    int rc = view_open(&z->view, s->state, z->conf->name, err);
    if (rc < 0)
        z->view = NULL;
    return rc;
}

static void sort_types(struct answer_zone *z) {
    unsigned count;
    const struct dataset *d = view_datasets(z->view, &count);
    z->type4 = z->type6 = z->type_names = z->type_others = 0;
    for (unsigned i = 0; i < count; i++) {
        enum conf_dataset_type t = d[i].type;
        uint64_t bit = UINT64_C(1) << i;
        if (t == DATASET_IP4SET || t == DATASET_IP4TSET || t == DATASET_IP4TRIE)
            z->type4 |= bit;
        else if (t == DATASET_IP6TSET || t == DATASET_IP6TRIE)
            z->type6 |= bit;
        else if (t == DATASET_DNSET)
            z->type_names |= bit;
        else if (t == DATASET_GENERIC)
            z->type_others |= bit;
    }
}

/* Once per commit, not once per batch. */
static int make(struct answer_zone *z) {
    z->data = view_apex(z->view);
    if (z->made && z->epoch == view_epoch(z->view))
        return 0;
    z->has_names = view_has_names(z->view);
    z->has_acl = view_has_acl(z->view);
    z->which4 = view_which4(z->view);
    z->which6 = view_which6(z->view);
    z->which_names = view_which_names(z->view);
    sort_types(z);
    answer_soa_make(z);
    z->epoch = view_epoch(z->view);
    int rc = answer_subs_make(z);
    z->made = rc == 0;
    return rc;
}

static void ready(struct answer *s, struct answer_zone *z) {
    z->ready = true;
    z->expired = z->damaged = false;
    z->ede = EDE_NONE;
    z->ede_text = NULL;
    check_expiry(s, z);
}

void answer_zone_begin(struct answer *s, struct answer_zone *z) {
    struct err err;
    z->begun = true;
    s->begun[s->begun_count++] = (uint16_t)(z - s->zone);
    err.text[0] = '\0';
    int rc = open_view(s, z, &err);
    if (rc == E_AGAIN)
        return; /* as it was: not ready */
    if (rc == 0) {
        rc = view_begin(z->view, commits(z), &err);
        if (rc == 0)
            rc = make(z);
        if (rc < 0)
            drop_view(z);
    }
    if (rc < 0)
        not_ready(z, rc, &err);
    else
        ready(s, z);
}

static void count(struct answer_zone *z) {
    if (z->asked != NULL && z->listed > 0)
        board_add_shared(&z->asked->listed, z->listed);
    if (z->asked != NULL && z->unlisted > 0)
        board_add_shared(&z->asked->unlisted, z->unlisted);
    z->listed = z->unlisted = 0;
}

void answer_zone_end(struct answer_zone *z) {
    if (!z->begun)
        return;
    z->begun = false;
    z->data = NULL;
    count(z);
    if (z->view == NULL)
        return;
    view_end(z->view);
    if (z->damaged)
        drop_view(z);
}
