/* Zones that come at run time: the file of members, its checks, places, and what a damaged file does: nothing. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/clock.h"
#include "resolver/base/conf_members.h"
#include "resolver/base/limits.h"

static const char text[] = "{node: {state: state}, rbl: {keys: [{name: k, secret: c2VjcmV0}], "
                           "zones: [{name: a.example}, {name: b.example}], catalogs: [{name: c.example}]}}";

struct node {
    struct conf *conf;
    struct conf_members *m;
    char folder[64], file[128];
};

static struct conf *conf_at(const char *folder, const char *words) {
    struct conf *c;
    struct err err = {.text = ""};
    if (conf_read_text(&c, words, strlen(words), folder, "t", &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void node_open(struct node *n) {
    struct err err;
    (void)snprintf(n->folder, sizeof n->folder, "/tmp/members-XXXXXX");
    assert_non_null(mkdtemp(n->folder));
    char path[128];
    (void)snprintf(path, sizeof path, "%s/state", n->folder);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(n->file, sizeof n->file, "%s/state/catalog/members", n->folder);
    n->conf = conf_at(n->folder, text);
    assert_int_equal(conf_members_open(&n->m, n->conf, &err), 0);
}

static void node_close(struct node *n) {
    char command[128];
    conf_members_close(n->m);
    conf_free(n->conf);
    (void)snprintf(command, sizeof command, "rm -r %s", n->folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the folder is the test's own */
}

static struct conf_member member(size_t place, const char *options) {
    return (struct conf_member){.place = place, .catalog = "c.example.", .label = "x1", .options = options};
}

static void put(struct node *n, size_t place, const char *options) {
    struct err err = {.text = ""};
    struct conf_member new = member(place, options);
    if (conf_members_put(n->m, &new, &err) != 0)
        fail_msg("%s", err.text);
}

struct told {
    size_t count, place[LIMIT_ZONES];
};

static void tell(void *ctx, size_t place) {
    struct told *t = ctx;
    t->place[t->count++] = place;
}

static void there_and_back(void **state) {
    struct node n;
    struct told t = {0};
    struct err err;
    (void)state;
    node_open(&n);
    assert_int_equal(n.conf->rbl.zone_fixed, 3);
    assert_int_equal(conf_members_read(n.m, tell, &t, &err), E_NOTFOUND);
    assert_int_equal(conf_members_place(n.m, 1000, &err), 3);
    put(&n, 3, "{name: m1.example, ttl: 77s, primaries: [{address: 192.0.2.1, key: k}]}");
    put(&n, 5, "{\"name\": \"m2.example.\"}");
    assert_int_equal(conf_members_place(n.m, 1000, &err), 4);
    assert_int_equal(n.conf->rbl.zone_count, 6);
    assert_string_equal(n.conf->rbl.zones[3].name, "m1.example.");
    assert_true(n.conf->rbl.zones[3].member);
    assert_int_equal(n.conf->rbl.zones[3].ttl_s, 77);
    assert_string_equal(n.conf->rbl.zones[4].name, "");
    assert_int_equal(conf_members_write(n.m, &err), 0);
    /* another process */
    struct conf *conf = conf_at(n.folder, text);
    struct conf_members *m;
    assert_int_equal(conf_members_open(&m, conf, &err), 0);
    assert_int_equal(conf_members_read(m, tell, &t, &err), 0);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.place[0], 3);
    assert_int_equal(t.place[1], 5);
    assert_string_equal(conf->rbl.zones[5].name, "m2.example.");
    assert_int_equal(conf->rbl.zones[3].primaries.count, 1);
    assert_int_equal(conf_members_find(m, "m2.example.")->place, 5);
    assert_null(conf_members_find(m, "a.example."));
    /* nothing new, nothing told; the same object */
    const struct conf_zone *before = conf_members_at(m, 3)->zone;
    assert_int_equal(conf_members_read(m, tell, &t, &err), 0);
    assert_int_equal(t.count, 2);
    assert_ptr_equal(conf_members_at(m, 3)->zone, before);
    /* one goes, one changes */
    conf_members_drop(n.m, 5, 1000);
    assert_int_equal(conf_members_place(n.m, 1000, &err), 4);
    put(&n, 4, "{name: m4.example}");
    assert_int_equal(conf_members_place(n.m, 1000, &err), 6); /* 5 rests */
    assert_int_equal(conf_members_place(n.m, 1000 + MEMBERS_REST_S, &err), 5);
    assert_int_equal(conf_members_place(n.m, 10, &err), 5); /* the clock went back: no longer than it would have */
    assert_int_equal(conf_members_write(n.m, &err), 0);
    assert_int_equal(conf_members_read(m, tell, &t, &err), 0);
    assert_int_equal(t.count, 4);
    assert_string_equal(conf->rbl.zones[5].name, "");
    assert_string_equal(conf->rbl.zones[4].name, "m4.example.");
    conf_members_sweep(m, clock_mono_ms(), NULL, NULL);
    conf_members_sweep(m, clock_mono_ms() + MEMBERS_KEEP_MS + 1, NULL, NULL);
    assert_int_equal(unlink(n.file), 0);
    assert_int_equal(conf_members_read(m, tell, &t, &err), E_NOTFOUND);
    assert_string_equal(conf->rbl.zones[3].name, "");
    conf_members_close(m);
    conf_free(conf);
    node_close(&n);
}

static void refused(void **state) {
    static const struct {
        size_t place;
        const char *options, *words;
        int code;
    } bad[] = {
        {1, "{name: m.example}", "place 1 is not one", E_RANGE},
        {LIMIT_ZONES, "{name: m.example}", "is not one", E_RANGE},
        {4, "{name: a.example}", "there already", E_EXISTS},
        {4, "{name: c.example}", "there already", E_EXISTS},
        {4, "{name: there.example}", "there already", E_EXISTS},
        {4, "{name: m.example, ttl: x}", "options:1: rbl.zones[0].ttl: expected", E_INVALID},
        {4, "{name: m.example, nonsense: 1}", "nonsense", E_INVALID},
        {4, "{name: m.example, update: [{key: other}]}", "rbl.zones[0].update[0].key", E_INVALID},
        {4, "{ttl: 60s}", "name", E_INVALID},
        {4, "{name: m.example}]}, node: {user: root}, x: {y: [{}", "options:1", E_INVALID},
        {4, "{name: m.example}, {name: n.example}", "one zone", E_INVALID},
        {4, "", "one zone", E_INVALID},
        {4, "{name: m.example,\n ttl: 60s}", "one line", E_RANGE},
    };
    struct node n;
    (void)state;
    node_open(&n);
    put(&n, 3, "{name: there.example}");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = {.text = ""};
        struct conf_member new = member(bad[i].place, bad[i].options);
        int rc = conf_members_put(n.m, &new, &err);
        if (rc != bad[i].code || strstr(err.text, bad[i].words) == NULL)
            fail_msg("%s: %d %s", bad[i].options, rc, err.text);
        assert_int_equal(n.conf->rbl.zone_count, 4);
    }
    node_close(&n);
}

static void write_file(const struct node *n, const char *words, size_t size) {
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/state/catalog", n->folder);
    (void)mkdir(folder, 0755);
    int fd = open(n->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, words, size), (ssize_t)size);
    assert_int_equal(close(fd), 0);
}

static const char good[] = "candor-members 1\n3 c.example. x1 0 {name: m1.example}\n"
                           "4 . x2 17 {name: m2.example, ttl: 60s}\nend 2\n";

/* Every cut and many turned octets: the old list stays, or a whole one is read; never a crash. */
static void damaged(void **state) {
    struct node n;
    struct err err;
    char copy[sizeof good];
    (void)state;
    node_open(&n);
    write_file(&n, good, sizeof good - 1);
    assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), 0);
    for (size_t size = 0; size < sizeof good - 1; size++) {
        write_file(&n, good, size);
        err.text[0] = '\0';
        assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), E_CORRUPT);
        assert_non_null(strstr(err.text, "/state/catalog/members:"));
        assert_string_equal(n.conf->rbl.zones[4].name, "m2.example.");
    }
    for (size_t i = 0; i < sizeof good - 1; i++) {
        memcpy(copy, good, sizeof good);
        copy[i] ^= (char)(1 + i % 127);
        write_file(&n, copy, sizeof good - 1);
        int rc = conf_members_read(n.m, NULL, NULL, &err);
        assert_true(rc == 0 || rc == E_CORRUPT);
    }
    static const char *const wrong[] = {
        "candor-members 1\n3 c. x 0 {name: m}\n3 c. y 0 {name: o}\nend 2\n",
        "candor-members 1\n3 c. x 0 {name: m}\n4 c. y 0 {name: M.}\nend 2\n",
        "candor-members 1\n9999 c. x 0 {name: m}\nend 1\n",
        "candor-members 1\n-3 c. x 0 {name: m}\nend 1\n",
        "candor-members 1\n3 c. x 0 name: m\nend 1\n",
        "candor-members 1\n3 c. x 0 {name: m}\nend 1\nmore\n",
        "candor-members 1\n3 c. x 99999999999999999999 {name: m}\nend 1\n",
        "candor-members 2\nend 0\n",
    };
    write_file(&n, good, sizeof good - 1);
    assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file(&n, wrong[i], strlen(wrong[i]));
        if (conf_members_read(n.m, NULL, NULL, &err) != E_CORRUPT)
            fail_msg("took: %s", wrong[i]);
        assert_string_equal(n.conf->rbl.zones[4].name, "m2.example.");
    }
    write_file(&n, "candor-members 1\0\nend 0\n", 24);
    assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), E_CORRUPT);
    node_close(&n);
}

/* The configuration has changed: its zones come first, members move, and what does not fit is kept, not served. */
static void another_configuration(void **state) {
    struct node n;
    struct err err;
    (void)state;
    node_open(&n);
    static const char words[] =
        "candor-members 1\n3 c.example. x1 0 {name: m1.example}\n"
        "4 . x2 0 {name: d.example}\n5 . x3 0 {name: m3.example, update: [{key: gone}], nonsense: 1}\n"
        "end 3\n";
    write_file(&n, words, sizeof words - 1);
    conf_members_close(n.m);
    conf_free(n.conf);
    n.conf = conf_at(n.folder, "{node: {state: state}, rbl: {zones: [{name: a.example}, {name: b.example}, "
                               "{name: d.example}, {name: e.example}]}}");
    assert_int_equal(conf_members_open(&n.m, n.conf, &err), 0);
    assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), 0);
    assert_string_equal(n.conf->rbl.zones[3].name, "e.example.");
    assert_string_equal(n.conf->rbl.zones[6].name, "m1.example.");
    assert_null(conf_members_at(n.m, 4));
    assert_non_null(conf_members_at(n.m, 5));
    assert_null(conf_members_at(n.m, 5)->zone);
    assert_string_equal(n.conf->rbl.zones[5].name, "");
    assert_int_equal(conf_members_write(n.m, &err), 0);
    conf_members_close(n.m);
    conf_free(n.conf);
    n.conf = conf_at(n.folder, text);
    assert_int_equal(conf_members_open(&n.m, n.conf, &err), 0);
    assert_int_equal(conf_members_read(n.m, NULL, NULL, &err), 0);
    assert_non_null(conf_members_at(n.m, 5));
    assert_string_equal(n.conf->rbl.zones[6].name, "m1.example.");
    node_close(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refused),
        cmocka_unit_test(damaged),
        cmocka_unit_test(another_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
