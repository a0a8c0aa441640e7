/* What a catalog says (RFC 9432), and what makes it one that must not be processed; options from strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rbl/catalog/options.h"
#include "resolver/base/rand.h"
#include "resolver/dns/const.h"

struct line {
    const char *owner; /* relative to the catalog; "": its apex */
    uint16_t type;
    const char *value; /* PTR: a name; TXT: strings with | between them */
};

static const char cat[] = "cat.test.";

static size_t rdata_of(uint8_t to[1024], uint16_t type, const char *value) {
    if (type == TYPE_PTR) {
        struct name n;
        assert_int_equal(name_from_text(&n, value, NULL), 0);
        memcpy(to, n.wire, n.size);
        return n.size;
    }
    size_t size = 0;
    for (const char *at = value; at != NULL;) {
        const char *bar = strchr(at, '|');
        size_t n = bar != NULL ? (size_t)(bar - at) : strlen(at);
        to[size] = (uint8_t)n;
        memcpy(to + size + 1, at, n); /* NOLINT(bugprone-not-null-terminated-result): its length is in front */
        size += n + 1;
        at = bar != NULL ? bar + 1 : NULL;
    }
    return size;
}

static int add(struct catalog_list *l, const struct line *line, struct err *err) {
    char text[512];
    uint8_t rdata[1024];
    struct records_rr rr = {.type = line->type, .ttl = 60};
    (void)snprintf(text, sizeof text, "%s%s%s", line->owner, line->owner[0] != '\0' ? "." : "", cat);
    assert_int_equal(name_from_text(&rr.owner, text, NULL), 0);
    rr.rdata = (struct bytes){rdata, rdata_of(rdata, line->type, line->value)};
    return catalog_list_add(l, &rr, err);
}

static int read_lines(struct catalog_list *l, const struct line *line, size_t count, struct err *err) {
    int rc = catalog_list_open(l, cat, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add(l, &line[i], err);
    return rc == 0 ? catalog_list_end(l, err) : rc;
}

static void all_that_counts(void **state) {
    static const struct line lines[] = {
        {"", TYPE_NS, "invalid."},
        {"group.u1.zones", TYPE_TXT, "fast"},
        {"group.u1.zones", TYPE_TXT, "other"},
        {"u2.zones", TYPE_PTR, "A.Example."},
        {"u1.zones", TYPE_PTR, "b.example."},
        {"coo.u2.zones", TYPE_PTR, "Other.Test."},
        {"candor.ext.u1.zones", TYPE_TXT, "ttl=60s|test=none"},
        {"candor.ext", TYPE_TXT, "on-expire=serve-stale"},
        {"version", TYPE_TXT, "2"},
        /* what we do not know */
        {"u3.zones", TYPE_TXT, "not a member"},
        {"coo.u4.zones", TYPE_PTR, "nobody."},
        {"thing.ext.u1.zones", TYPE_TXT, "x"},
        {"deep.thing.ext.u1.zones", TYPE_PTR, "x."},
        {"version", TYPE_A, "x"},
        {"other", TYPE_PTR, "x."},
    };
    struct catalog_list l;
    struct err err;
    (void)state;
    assert_int_equal(read_lines(&l, lines, ARRAY_SIZE(lines), &err), 0);
    assert_int_equal(l.count, 2);
    const struct catalog_entry *a = catalog_list_find(&l, "a.example."), *b = catalog_list_find(&l, "b.example.");
    assert_null(catalog_list_find(&l, "c.example."));
    assert_string_equal(a->label, "u2");
    assert_string_equal(a->coo, "other.test.");
    assert_null(b->coo);
    assert_int_equal(b->groups, 2);
    assert_string_equal(b->group[1], "other");
    assert_int_equal(b->options.count, 2);
    assert_string_equal(b->options.at[1], "test=none");
    assert_string_equal(l.options.at[0], "on-expire=serve-stale");
    catalog_list_close(&l);
}

static void broken(void **state) {
    static const struct {
        struct line line[4];
        const char *words;
    } bad[] = {
        {{{"u1.zones", TYPE_PTR, "a."}}, "no version"},
        {{{"version", TYPE_TXT, "1"}}, "version"},
        {{{"version", TYPE_TXT, "2|2"}}, "version"},
        {{{"version", TYPE_TXT, "2"}, {"version", TYPE_TXT, "2"}}, "more than one version"},
        {{{"version", TYPE_TXT, "2"}, {"u.zones", TYPE_PTR, "a."}, {"u.zones", TYPE_PTR, "b."}}, "more than one PTR"},
        {{{"version", TYPE_TXT, "2"}, {"coo.u.zones", TYPE_PTR, "a."}, {"coo.u.zones", TYPE_PTR, "b."}},
         "more than one PTR"},
        {{{"version", TYPE_TXT, "2"}, {"u.zones", TYPE_PTR, "a."}, {"v.zones", TYPE_PTR, "A."}}, "listed twice"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct catalog_list l;
        struct err err = {.text = ""};
        size_t count = 0;
        while (count < 4 && bad[i].line[count].owner != NULL)
            count++;
        assert_int_equal(read_lines(&l, bad[i].line, count, &err), E_INVALID);
        if (strstr(err.text, bad[i].words) == NULL)
            fail_msg("%zu: %s", i, err.text);
        catalog_list_close(&l);
    }
}

/* Any octets in any RR: refused or read, never a crash; labels come out as one word. */
static void rubbish(void **state) {
    static const uint16_t types[] = {TYPE_PTR, TYPE_TXT, TYPE_A};
    static const char *const owners[] = {"u.zones",
                                         "\\000\\010\\032.zones",
                                         "coo.u.zones",
                                         "group.u.zones",
                                         "version",
                                         "candor.ext.u.zones",
                                         "zones",
                                         "candor.ext",
                                         "a.b.c.d.zones",
                                         "*.zones",
                                         ""};
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct catalog_list l;
        struct err err;
        char text[128];
        assert_int_equal(catalog_list_open(&l, cat, &err), 0);
        int rc = 0;
        for (int i = 0; i < 4 && rc == 0; i++) {
            uint8_t rdata[32];
            struct records_rr rr = {.type = types[rand_below(3)], .rdata = {rdata, rand_below(32)}};
            for (size_t j = 0; j < sizeof rdata; j++)
                rdata[j] = (uint8_t)(rand_below(4) > 0 ? rand_below(8) : rand_below(256));
            const char *owner = owners[rand_below(ARRAY_SIZE(owners))];
            (void)snprintf(text, sizeof text, "%s%s%s", owner, owner[0] != '\0' ? "." : "", cat);
            assert_int_equal(name_from_text(&rr.owner, text, NULL), 0);
            rc = catalog_list_add(&l, &rr, &err);
        }
        for (size_t i = 0; i < l.count; i++)
            assert_null(strpbrk(l.at[i].label, " \n\t"));
        catalog_list_close(&l);
    }
}

static void too_many(void **state) {
    struct catalog_list l;
    struct err err = {.text = ""};
    char owner[32], target[32];
    int rc = catalog_list_open(&l, cat, &err);
    (void)state;
    for (int i = 0; rc == 0 && i <= LIMIT_ZONES; i++) {
        (void)snprintf(owner, sizeof owner, "u%d.zones", i);
        (void)snprintf(target, sizeof target, "m%d.", i);
        assert_int_equal(l.count, i);
        rc = add(&l, &(struct line){owner, TYPE_PTR, target}, &err);
    }
    assert_int_equal(rc, E_FULL);
    assert_int_equal(l.count, LIMIT_ZONES);
    catalog_list_close(&l);
    assert_int_equal(catalog_list_open(&l, cat, &err), 0);
    for (rc = 0; rc == 0;)
        rc = add(&l, &(struct line){"candor.ext.u.zones", TYPE_TXT, "ttl=1s"}, &err);
    assert_int_equal(rc, E_FULL);
    assert_int_equal(l.at[0].options.count, CATALOG_OPTIONS);
    catalog_list_close(&l);
}

static struct conf *conf_with(const char *text) {
    struct conf *c;
    struct err err = {.text = ""};
    if (conf_read_text(&c, text, strlen(text), "/", "t", &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void options(void **state) {
    struct conf *c = conf_with("{rbl: {keys: [{name: k, secret: c2VjcmV0}], catalogs: [{name: cat.test, primaries: "
                               "[{address: 192.0.2.1, key: k}], groups: [{name: fast, ttl: 30s, limits: {grow: 7%}}, "
                               "{name: '', ttl: 90s, allow: [10.0.0.0/8]}]}]}}");
    static const struct line lines[] = {
        {"version", TYPE_TXT, "2"},
        {"u1.zones", TYPE_PTR, "a."},
        {"group.u1.zones", TYPE_TXT, "fast"},
        {"candor.ext.u1.zones", TYPE_TXT, "ttl=10s|limits.shrink=5%|allow=192.0.2.0/24,2001:db8::/32"},
        {"u2.zones", TYPE_PTR, "b."},
        {"candor.ext.u2.zones", TYPE_TXT, "primaries=192.0.2.9@5301/k.,192.0.2.8"},
        {"candor.ext", TYPE_TXT, "min-ttl=5s"},
    };
    struct catalog_list l;
    struct err err = {.text = ""};
    struct conf *z;
    (void)state;
    assert_int_equal(read_lines(&l, lines, ARRAY_SIZE(lines), &err), 0);
    for (int i = 0; i < 2; i++) {
        struct options o = {.count = 0};
        const struct catalog_entry *e = catalog_list_find(&l, i == 0 ? "a." : "b.");
        assert_int_equal(options_of_member(&o, &c->rbl.catalogs[0], &l, e, &err), 0);
        const char *text = options_text(&o, e->name);
        if (conf_read_zone(&z, c, text, "o", &err) != 0)
            fail_msg("%s: %s", text, err.text);
        const struct conf_zone *got = &z->rbl.zones[0];
        assert_string_equal(got->name, e->name);
        assert_int_equal(got->min_ttl_s, 5);
        assert_int_equal(got->ttl_s, i == 0 ? 30 : 90); /* the group of this node counts more */
        assert_int_equal(got->primaries.count, i == 0 ? 1 : 2);
        assert_string_equal(got->primaries.at[0].key, "k.");
        if (i == 0) {
            assert_true(got->limits.shrink > 0.049 && got->limits.shrink < 0.051);
            assert_true(got->limits.grow > 0.069 && got->limits.grow < 0.071);
            assert_int_equal(got->allow.count, 2);
        }
        conf_free(z);
        options_free(&o);
    }
    catalog_list_close(&l);
    conf_free(c);
}

static void options_of_strangers(void **state) {
    static const char *const bad[] = {"",
                                      "ttl",
                                      "secret=x",
                                      "name=x",
                                      "data=[{type: generic, files: [/etc/passwd]}]",
                                      "update=0.0.0.0/0",
                                      "ttl=60s, update: [{address: 0.0.0.0/0}]",
                                      "ttl=\"",
                                      "ttl=",
                                      "allow=",
                                      "allow=1.2.3.4/32,,",
                                      "allow=\"]}",
                                      "primaries=192.0.2.1 x",
                                      "limits=1",
                                      "ttl=60s\\"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct options o = {.count = 0};
        struct err err = {.text = ""};
        if (options_say(&o, bad[i], &err) != E_INVALID)
            fail_msg("took %s", bad[i]);
        options_free(&o);
    }
    struct options o = {.count = 0};
    struct err err;
    char key[16];
    int rc = 0;
    for (int i = 0; rc == 0; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        rc = options_set(&o, key, "1", &err);
    }
    assert_int_equal(rc, E_FULL);
    assert_int_equal(o.count, OPTIONS_MOST);
    options_free(&o);
}

/* What one node says of a zone, another one takes for the same. */
static void said_and_heard(void **state) {
    struct conf *c = conf_with(
        "{rbl: {zones: [{name: a, ttl: 61s, min-ttl: 2s, max-ttl: 99s, test: rfc5782-ip6, on-expire: serve-stale, "
        "journal: 5M, allow: [192.0.2.0/24, '2001:db8::/32'], limits: {shrink: 12.5%, grow: 300%, entries: 77, "
        "space: 3%, tlds: 4, values: any}}, {name: b}]}}");
    struct conf *z;
    struct arena a = {0};
    struct options o = {.count = 0};
    struct catalog_texts said = {.count = 0};
    struct err err = {.text = ""};
    (void)state;
    const struct conf_zone *from = &c->rbl.zones[0];
    assert_int_equal(options_to_say(&a, &c->rbl.zones[1], &c->rbl.zones[1], &said), 0);
    assert_int_equal(said.count, 0);
    assert_int_equal(options_to_say(&a, from, &c->rbl.zones[1], &said), 0);
    for (unsigned i = 0; i < said.count; i++)
        if (options_say(&o, said.at[i], &err) != 0)
            fail_msg("%s: %s", said.at[i], err.text);
    if (conf_read_zone(&z, c, options_text(&o, "a."), "o", &err) != 0)
        fail_msg("%s", err.text);
    const struct conf_zone *got = &z->rbl.zones[0];
    assert_int_equal(got->ttl_s, from->ttl_s);
    assert_int_equal(got->min_ttl_s, from->min_ttl_s);
    assert_int_equal(got->max_ttl_s, from->max_ttl_s);
    assert_int_equal(got->test, from->test);
    assert_int_equal(got->on_expire, from->on_expire);
    assert_int_equal(got->journal, from->journal);
    assert_memory_equal(&got->limits, &from->limits, sizeof got->limits);
    assert_int_equal(got->allow.count, 2);
    assert_memory_equal(got->allow.at, from->allow.at, 2 * sizeof *got->allow.at);
    conf_free(z);
    conf_free(c);
    options_free(&o);
    arena_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_counts), cmocka_unit_test(broken),  cmocka_unit_test(rubbish),
        cmocka_unit_test(too_many),        cmocka_unit_test(options), cmocka_unit_test(options_of_strangers),
        cmocka_unit_test(said_and_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
