/* Options of nodes: published into a catalog that is made here, handed to candor-health from the one that is followed.
 * Files are written on the pool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rbl/catalog/impl.h"
#include "rbl/publish/command.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

/* A version on its way to the disk. */
struct move {
    struct catalog *k;
    struct control_call *call; /* NULL: it is handed over */
    struct remote_version old, new;
    bool back; /* the text is that of the version before */
    int code;
    struct err err;
};

static struct move *move_new(struct catalog *k) {
    struct move *m = calloc(1, sizeof *m);
    if (m != NULL)
        m->k = k;
    return m;
}

static void move_free(struct move *m) {
    remote_version_free(&m->old);
    remote_version_free(&m->new);
    free(m);
}

void remote_open(struct catalog *k) {
    char name[REMOTE_NAME];
    struct err err = {.text = ""};
    if (k->conf->primaries.count > 0)
        return;
    remote_name(name, "published", k->conf->name);
    int rc = remote_read(&k->remote, k->all->c.conf->node.state, name, &err);
    if (rc < 0 && rc != E_NOTFOUND)
        LOG(LEVEL_ERROR, "the published configuration cannot be read: the catalog is without it",
            KS("catalog", k->conf->name), KS("why", err.text));
}

void remote_close(struct catalog *k) { remote_version_free(&k->remote); }

/* --- from the catalog that is followed --- */

static void offer_work(void *ctx) {
    struct move *m = ctx;
    m->code = remote_write(&m->new, m->k->all->c.conf->node.state, "offered", &m->err);
}

static void tell_offered(const struct remote_version *v, const char *catalog) {
    if (v->number == 0)
        return;
    if (v->words[0] != '\0')
        LOG(LEVEL_ERROR, "the configuration in a catalog cannot be had", KS("catalog", catalog),
            KU("version", v->number), KS("why", v->words));
    else
        LOG(LEVEL_INFO, "a catalog says how this node is configured", KS("catalog", catalog), KU("version", v->number));
}

static void offer_done(void *ctx) {
    struct move *m = ctx;
    struct catalog *k = m->k;
    struct catalogs *c = k->all;
    c->offering = false;
    c->working--;
    if (m->code < 0) {
        LOG(LEVEL_ERROR, "the configuration of a catalog cannot be written down", KS("why", m->err.text));
        k->offered = false; /* again at the next tick */
    } else {
        remote_version_free(&k->remote);
        k->remote = m->new;
        m->new = (struct remote_version){.number = 0};
        tell_offered(&k->remote, k->conf->name);
        if (c->c.board != NULL)
            board_add(&c->c.board->remote_epoch, 1);
    }
    move_free(m);
}

static bool is_known(const struct catalog *k, const struct remote_version *v) {
    return k->remote_known && remote_same(&k->remote, v) && strcmp(k->remote.words, v->words) == 0;
}

void remote_offer(struct catalog *k) {
    struct catalogs *c = k->all;
    if (c->closing || c->offering || k->offered || !k->known ||
        strcmp(k->conf->name, c->c.conf->node.remote.catalog) != 0)
        return;
    struct move *m = move_new(k);
    if (m == NULL || catalog_remote_take(&k->list.remote, &m->new, &m->err) < 0 || is_known(k, &m->new)) {
        k->offered = m != NULL && m->err.code == 0;
        if (m != NULL)
            move_free(m);
        return;
    }
    if (loop_work(c->c.loop, offer_work, offer_done, m) < 0) {
        move_free(m);
        return;
    }
    k->offered = k->remote_known = c->offering = true;
    c->working++;
}

/* --- into one that is made here --- */

/* First what there was, so that there is always one of the two. */
static void publish_work(void *ctx) {
    struct move *m = ctx;
    const char *state = m->k->all->c.conf->node.state;
    char published[REMOTE_NAME], previous[REMOTE_NAME];
    remote_name(published, "published", m->k->conf->name);
    remote_name(previous, "previous", m->k->conf->name);
    if (m->back) {
        struct remote_version before;
        m->code = remote_read(&before, state, previous, &m->err);
        if (m->code == E_NOTFOUND)
            (void)err_set(&m->err, E_NOTFOUND, "no version was published before this one");
        if (m->code < 0)
            return;
        m->new.text = before.text;
        m->new.size = before.size;
        text_copy(m->new.digest, sizeof m->new.digest, before.digest);
    }
    if (m->old.number > 0)
        m->code = remote_write(&m->old, state, previous, &m->err);
    if (m->code == 0)
        m->code = remote_write(&m->new, state, published, &m->err);
}

static void answer_version(struct control_call *call, const struct catalog *k, bool changed) {
    answer_json(call, json_pack("{s:b,s:s,s:I,s:s,s:I,s:b}", "ok", 1, "catalog", k->conf->name, "version",
                                (json_int_t)k->remote.number, "digest", k->remote.digest, "size",
                                (json_int_t)k->remote.size, "changed", changed));
}

static void publish_done(void *ctx) {
    struct move *m = ctx;
    struct catalog *k = m->k;
    k->publishing = false;
    k->all->working--;
    if (m->code < 0) {
        answer_error(m->call, m->code, m->err.text);
        k->remote = m->old;
        m->old = (struct remote_version){.number = 0};
    } else {
        k->remote = m->new;
        m->new = (struct remote_version){.number = 0};
        k->made_of = k->all->changes - 1; /* the catalog is another */
        LOG(LEVEL_INFO, "a configuration was published", KS("catalog", k->conf->name), KU("version", k->remote.number));
        answer_version(m->call, k, true);
        if (!k->all->closing)
            catalog_produce(k);
    }
    move_free(m);
}

/* What the catalog says stays readable in `old` until the disk has the new one; it is not made anew meanwhile. */
static int publish(struct catalog *k, struct control_call *call, const char *text, struct err *err) {
    struct move *m = k->publishing ? NULL : move_new(k);
    if (m == NULL)
        return err_set(err, E_AGAIN, "another version is being written");
    int rc = text != NULL ? conf_remote_make(&m->new, text, strlen(text), "configuration", err) : 0;
    if (rc == 0 && text != NULL && k->remote.number > 0 && strcmp(m->new.digest, k->remote.digest) == 0) {
        answer_version(call, k, false);
        move_free(m);
        return 0;
    }
    m->back = text == NULL;
    m->call = call;
    m->new.number = k->remote.number + 1;
    m->new.wall_s = clock_wall_s();
    m->old = k->remote;
    if (rc == 0 && (rc = loop_work(k->all->c.loop, publish_work, publish_done, m)) < 0)
        rc = err_set(err, rc, "the pool takes no work");
    if (rc < 0) {
        m->old = (struct remote_version){.number = 0}; /* it stays the catalog's */
        move_free(m);
        return rc;
    }
    k->publishing = true;
    k->all->working++;
    return 0;
}

/* The catalog named, or the only one that is made here. */
static struct catalog *meant(const struct catalogs *c, const char *name, struct err *err) {
    struct catalog *found = NULL;
    for (size_t i = 0; i < c->count; i++) {
        struct catalog *k = &c->at[i];
        size_t n = name != NULL ? strlen(name) : 0;
        if (k->conf->primaries.count > 0)
            continue;
        if (name != NULL &&
            (strncmp(k->conf->name, name, n) != 0 || (k->conf->name[n] != '\0' && strcmp(k->conf->name + n, ".") != 0)))
            continue;
        if (found != NULL) {
            (void)err_set(err, E_INVALID, "this node makes several catalogs: --catalog says which");
            return NULL;
        }
        found = k;
    }
    if (found == NULL)
        (void)err_set(err, E_NOTFOUND, "this node makes no catalog%s%.200s (rbl.catalogs without primaries)",
                      name != NULL ? " " : "", name != NULL ? name : "");
    return found;
}

bool remote_control(struct catalogs *c, struct control_call *call, const json_t *doc) {
    const char *command = json_string_value(json_object_get(doc, "command"));
    const char *text = json_string_value(json_object_get(doc, "text"));
    struct err err = {.text = ""};
    int rc;
    if (command == NULL || (strcmp(command, "config-publish") != 0 && strcmp(command, "config-rollback") != 0))
        return false;
    bool back = strcmp(command, "config-rollback") == 0;
    struct catalog *k = meant(c, json_string_value(json_object_get(doc, "catalog")), &err);
    if (k == NULL)
        rc = err.code;
    else if (!back && text == NULL)
        rc = err_set(&err, E_INVALID, "\"text\": expected a configuration");
    else
        rc = publish(k, call, back ? NULL : text, &err);
    if (rc < 0)
        answer_error(call, rc, err.text);
    return true;
}
