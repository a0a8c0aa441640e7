/* why: which entries answer for an address or a name, in one zone or in all of them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "rbl/publish/command.h"

/* The template as a data file would have it: a NUL stands for a dollar sign there. */
static json_t *json_template(const struct value *v) {
    char text[2 * LIMIT_TXT] = {0};
    size_t n = 0;
    for (size_t i = 0; i < v->txt_size && n + 2 <= sizeof text; i++) {
        if (v->txt[i] == '\0')
            text[n++] = '$';
        text[n++] = v->txt[i] == '\0' ? '$' : v->txt[i];
    }
    return json_bytes(text, n);
}

static void add_value(json_t *o, const struct value *v) {
    char text[VALUE_TEXT_MAX], a[INET_ADDRSTRLEN];
    json_object_set_new(o, "value", json_text(value_text(v, text)));
    if (v->kind != VALUE_LISTED)
        return;
    (void)snprintf(a, sizeof a, "%u.%u.%u.%u", v->a[0], v->a[1], v->a[2], v->a[3]);
    json_object_set_new(o, "a", json_string(a));
    json_object_set_new(o, "txt", v->has_txt ? json_template(v) : json_null());
}

static json_t *match_json(const struct keep_match *m, const struct load_place *p) {
    json_t *o = json_pack("{s:o,s:s,s:b,s:b,s:b}", "entry", json_text(m->entry), "type",
                          m->local ? "local" : conf_dataset_name(m->type), "excluded", m->excluded, "local", m->local,
                          "silenced", m->silenced);
    if (o == NULL)
        return NULL;
    if (!m->excluded)
        add_value(o, &m->value);
    if (m->until_wall_s != 0)
        json_object_set_new(o, "until", json_time(m->until_wall_s));
    if (p->line > 0) {
        json_object_set_new(o, "file", json_text(p->file));
        json_object_set_new(o, "line", json_integer(p->line));
        json_object_set_new(o, "text", json_text(p->text));
    }
    if (m->journal_known) {
        json_object_set_new(o, "since_serial", json_integer(m->since_serial));
        json_object_set_new(o, "since", json_time(m->since_wall_s));
        json_object_set_new(o, "source", json_text(m->since_source));
    }
    return o;
}

/* "listed", "serial" and "matches" of a job that went well; at most `room` matches, *room being what is left of it. */
static json_t *why_json(const struct job *j, unsigned *room, unsigned *left_off) {
    json_t *matches = json_array();
    bool listed = false;
    for (unsigned i = 0; i < j->why->matches; i++) {
        const struct keep_match *m = &j->why->match[i];
        listed |= !m->excluded && !m->silenced;
        if (*room == 0) {
            ++*left_off;
            continue;
        }
        --*room;
        json_array_append_new(matches, match_json(m, &j->why->place[i]));
    }
    return json_pack("{s:b,s:b,s:I,s:o}", "ok", 1, "listed", listed, "serial", (json_int_t)j->state.serial, "matches",
                     matches);
}

static void why_done(void *ctx, struct job *j) {
    unsigned room = KEEPER_WHY_MATCHES, left_off = 0;
    if (j->code != 0)
        answer_job_error(ctx, j);
    else
        answer_json(ctx, why_json(j, &room, &left_off));
}

/* Four labels of a number each, or 32 of a hexadecimal digit, as an address list is asked for: the address. */
static bool address_of(const struct name *n, struct addr *to) {
    char text[64];
    size_t used = 0;
    unsigned step = n->labels == 32 ? 1 : 3;
    if (n->labels != 4 && n->labels != 32)
        return false;
    for (unsigned i = n->labels; i-- > 0;) {
        const uint8_t *label = n->wire + name_label_at(n, i);
        bool colon = n->labels == 32 && i < 31 && i % 4 == 3;
        if (label[0] == 0 || label[0] > step)
            return false;
        if (colon || (n->labels == 4 && i < 3))
            text[used++] = colon ? ':' : '.';
        memcpy(text + used, label + 1, label[0]);
        used += label[0];
    }
    text[used] = '\0';
    return addr_parse(to, text, 53, NULL) == 0;
}

/* The name as the zone sees it: without the zone's own name when that is its end. */
static int relative(struct name *n, const struct conf_zone *zone, bool *below, struct err *err) {
    struct name apex;
    int rc = name_from_text(&apex, zone->name, err);
    if (rc < 0)
        return rc;
    *below = name_under(n, &apex);
    if (!*below)
        return 0;
    size_t keep = (size_t)n->size - apex.size;
    n->wire[keep] = 0;
    n->size = (uint8_t)(keep + 1);
    n->labels = (uint8_t)(n->labels - apex.labels);
    return 0;
}

static int why_fill(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    const char *what = json_string_value(json_object_get(doc, "what"));
    struct job_why *w = j->why;
    bool below;
    if (what == NULL)
        return err_set(err, E_INVALID, "\"what\": expected an address or a name");
    if (addr_parse(&w->addr, what, 53, NULL) == 0)
        return 0;
    int rc = name_from_text(&w->name, what, err);
    if (rc < 0)
        return rc;
    name_lower(&w->name);
    rc = relative(&w->name, zone, &below, err);
    if (rc < 0)
        return rc;
    unsigned holds = command_holds(zone);
    w->is_name = !below || (holds & (HOLDS_NAMES | HOLDS_RRS)) != 0 || !address_of(&w->name, &w->addr);
    return 0;
}

/* --- all zones --- */

struct why_all {
    struct control_call *call;
    unsigned pending, room, left_off, asked;
    bool listed;
    json_t *zone[LIMIT_ZONES]; /* in the order of the configuration; NULL: nothing to say */
};
/* In the job's arena. */
struct why_part {
    struct why_all *all;
    unsigned zone;
    const struct conf_zone *conf;
};

static void why_all_release(struct why_all *a) {
    if (--a->pending > 0)
        return;
    json_t *zones = json_array();
    for (unsigned i = 0; i < LIMIT_ZONES; i++)
        if (a->zone[i] != NULL)
            json_array_append_new(zones, a->zone[i]);
    answer_json(a->call, json_pack("{s:b,s:b,s:I,s:I,s:o}", "ok", 1, "listed", a->listed, "asked", (json_int_t)a->asked,
                                   "left_off", (json_int_t)a->left_off, "zones", zones));
    free(a);
}

static void why_all_add(struct why_all *a, unsigned zone, const struct conf_zone *conf, json_t *o) {
    if (o != NULL)
        json_object_set_new(o, "zone", json_text(conf->name));
    a->zone[zone] = o;
}

static json_t *trouble_json(int code, const char *text) {
    return json_pack("{s:b,s:s,s:o}", "ok", 0, "code", err_name(code), "error", json_text(text));
}

static void why_all_done(void *ctx, struct job *j) {
    const struct why_part *p = ctx;
    struct why_all *a = p->all;
    json_t *o = NULL;
    if (j->code != 0)
        o = trouble_json(j->code, j->err.text);
    else if (j->why->matches > 0)
        o = why_json(j, &a->room, &a->left_off);
    a->listed |= json_is_true(json_object_get(o, "listed"));
    why_all_add(a, p->zone, p->conf, o);
    why_all_release(a);
}

static int why_all_submit(struct keeper *k, struct why_all *a, unsigned zone, const json_t *doc, struct err *err) {
    struct job *j = job_new(JOB_WHY);
    struct why_part *p = j != NULL ? arena_alloc(&j->arena, sizeof *p) : NULL;
    int rc = p != NULL ? why_fill(j, keeper_zone_conf(k, (int)zone), doc, err) : err_set(err, E_NOMEM, "no memory");
    if (rc == 0 && p != NULL) {
        *p = (struct why_part){a, zone, keeper_zone_conf(k, (int)zone)};
        j->ctx = p;
        j->done = why_all_done;
        rc = keeper_submit(k, (int)zone, j, err);
    }
    if (rc == 0)
        a->pending++;
    else
        job_free(j);
    return rc;
}

static int why_everywhere(struct keeper *k, struct control_call *call, const json_t *doc, struct err *err) {
    const char *what = json_string_value(json_object_get(doc, "what"));
    struct addr addr;
    struct name name;
    if (what == NULL)
        return err_set(err, E_INVALID, "\"what\": expected an address or a name");
    if (addr_parse(&addr, what, 53, NULL) != 0 && name_from_text(&name, what, err) < 0)
        return E_INVALID;
    struct why_all *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, E_NOMEM, "no memory");
    a->call = call;
    a->room = WHY_ALL_MATCHES;
    a->pending = 1; /* mine, until all have been asked */
    for (unsigned i = 0; i < keeper_zones(k) && i < LIMIT_ZONES; i++) {
        struct err e = {0};
        const struct conf_zone *zone = keeper_zone_conf(k, (int)i);
        if (!conf_zone_is_served(zone) && !conf_zone_is_global_acl(zone))
            continue; /* a free place; a catalog lists zones, nothing that is asked for */
        int rc = why_all_submit(k, a, i, doc, &e);
        if (rc < 0)
            why_all_add(a, i, keeper_zone_conf(k, (int)i), trouble_json(rc, e.text));
        a->asked++;
    }
    why_all_release(a);
    return 0; /* NOLINT(clang-analyzer-unix.Malloc): the last of those asked releases it */
}

const struct command command_why = {
    .name = "why", .kind = JOB_WHY, .fill = why_fill, .done = why_done, .everywhere = why_everywhere};
