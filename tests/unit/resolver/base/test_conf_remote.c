/* Options that come from a catalog: which may, how they are laid over a file, and the files they are kept in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/conf_remote.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/candor-remote-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command); /* NOLINT: a folder of our own */
}

static int make(struct remote_version *v, const char *text, struct err *err) {
    return conf_remote_make(v, text, strlen(text), "f", err);
}

static void refuses(const char *text, const char *words) {
    struct remote_version v;
    struct err err = {.text = ""};
    assert_true(make(&v, text, &err) < 0);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    assert_null(v.text);
}

static void test_what_may_travel(void **state) {
    struct remote_version v, w;
    struct err err = {.text = ""};
    (void)state;
    const char *text = "# all nodes\nhealth:\n  interval: { local: 2s }\n  peers:\n"
                       "    - { name: a, resolver: 192.0.2.1, key: \"Mon\\x2e\" }\n  fall: 3\n"
                       "  report: { https: [ { address: 192.0.2.9@443, tls-name: m.example, key: mon. } ] }\n"
                       "nodes:\n  a: { health: { fall: 1 } }\n";
    assert_int_equal(make(&v, text, &err), 0);
    assert_null(strchr(v.text, '#'));
    assert_int_equal(strlen(v.digest), 64);
    /* What was made of it says the same once more. */
    assert_int_equal(make(&w, v.text, &err), 0);
    assert_string_equal(v.text, w.text);
    assert_string_equal(v.digest, w.digest);
    remote_version_free(&v);
    remote_version_free(&w);
    assert_int_equal(make(&v, "", &err), 0);
    remote_version_free(&v);
    assert_int_equal(make(&v, "nodes: { x: ~ }\nhealth: ~\n", &err), 0);
    remote_version_free(&v);
}

static void test_what_may_not(void **state) {
    (void)state;
    refuses("health:\n  fall: 2\n  token: abcdefgh123\n", "f:3: health.token: expected an option that may come");
    refuses("rbl: { keys: [ { name: a., secret: AAAA } ] }", "f:1: rbl: expected an option");
    refuses("node: { user: root }", "node: expected");
    refuses("health: { report: { exec: /bin/sh } }", "health.report.exec");
    refuses("health: { report: { sql: { password-file: x } } }", "health.report.sql");
    refuses("health:\n  report:\n    https:\n    - address: 192.0.2.1@1\n      tls-name: a.example\n      ca: /etc/x\n",
            "f:6: health.report.https[0].ca: expected an option");
    refuses("health: { drain: { command: /bin/sh } }", "health.drain");
    refuses("health: { listen: [ 0.0.0.0@1 ] }", "health.listen");
    refuses("health: { monitor: { enabled: true } }", "health.monitor.enabled");
    refuses("nodes:\n  a:\n    health:\n      heal: { max-restarts: 0 }\n", "f:4: nodes.a.health.heal");
    refuses("nodes: { a: { nodes: { b: {} } } }", "nodes.a.nodes: expected an option");
}

static void test_values_are_checked_with_their_line(void **state) {
    (void)state;
    refuses("health:\n  interval:\n    local: 2s\n    zones: never\n", "f:4: health.interval.zones: expected");
    refuses(
        "health:\n\n  peers:\n    - name: a\n      resolver: 192.0.2.1\n    - name: b\n      resolver: ns.example\n",
        "f:7: health.peers[1].resolver: expected");
    refuses("health: { peers: [ { name: a } ] }", "expected resolver: ADDRESS@PORT");
    /* A quote: a text stays one. */
    refuses("health: { peers: [ { name: 'a\"}], \"x', resolver: 192.0.2.1 } ] }", "health.peers[0].name");
    refuses("health: { peers: 5 }", "a list");
    refuses("health: { fall: [1] }", "one value");
    refuses("health: { fal: 1 }", "health.fal");
    refuses("[]", "a section");
    refuses("nodes: []", "nodes: expected");
    refuses("nodes: { a: 5 }", "a section");
    refuses("health: { fall: 1, fall: 2 }", "f:1");
    refuses("health: { fall: \"1", "f:");
    char *big = malloc(REMOTE_BYTES + 2);
    assert_non_null(big);
    memset(big, '#', REMOTE_BYTES + 1);
    big[REMOTE_BYTES + 1] = '\0';
    refuses(big, "at most");
    free(big);
}

/* candor.yaml of this folder. */
static struct conf *local(const char *more) {
    char path[128];
    struct conf *conf;
    struct err err = {.text = ""};
    snprintf(path, sizeof path, "%s/candor.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "rbl:\n  keys: [ { name: mon., secret: AAAA } ]\n"
            "  catalogs: [ { name: cat.example., primaries: [ { address: 192.0.2.53 } ] } ]\n%s",
            more);
    fclose(f);
    if (conf_read(&conf, path, &err) < 0)
        fail_msg("%s", err.text);
    return conf;
}

static struct conf *laid(const struct conf *over, const char *text, const char *words) {
    struct remote_version v;
    struct err err = {.text = ""};
    struct conf *out;
    assert_int_equal(make(&v, text, &err), 0);
    v.number = 7;
    int rc = conf_remote_merge(&out, over, &v, &err);
    if ((rc == 0) != (words == NULL) || (words != NULL && strstr(err.text, words) == NULL))
        fail_msg("%d, \"%s\" is not \"%s\"", rc, err.text, words != NULL ? words : "well");
    remote_version_free(&v);
    return out;
}

static void test_the_file_counts_more(void **state) {
    (void)state;
    struct conf *l = local("node: { name: b, state: state, remote: { catalog: cat.example, allow: [\"*\"], "
                           "over: [health.fall], ca: ca.pem } }\n"
                           "health: { fall: 5, rise: 6, interval: { local: 3s } }\n");
    struct conf *c = laid(l,
                          "health:\n  fall: 3\n  rise: 3\n  interval: { local: 9s, zones: 9s }\n"
                          "  peers: [ { name: a, resolver: 192.0.2.1 }, { name: b, resolver: 192.0.2.2 } ]\n"
                          "  report: { https: [ { address: 192.0.2.9@443, tls-name: m.example, key: mon } ] }\n"
                          "nodes: { b: { health: { interval: { zones: 8s } } }, a: { health: { rise: 9 } } }\n",
                          NULL);
    assert_int_equal(c->health.fall, 3); /* over */
    assert_int_equal(c->health.rise, 6);
    assert_int_equal(c->health.interval.local_ms, 3000);
    assert_int_equal(c->health.interval.zones_ms, 8000); /* for this node, before what is for all */
    assert_int_equal(c->health.peer_count, 1);           /* without itself */
    assert_string_equal(c->health.peers[0].name, "a");
    assert_int_equal(c->health.https_count, 1);
    assert_non_null(strstr(c->health.https[0].ca, folder)); /* beside the file */
    assert_string_equal(c->path, l->path);
    assert_string_equal(c->node.state, l->node.state);
    conf_free(c);
    conf_free(l);
}

static void test_only_what_is_allowed_comes(void **state) {
    (void)state;
    struct conf *l =
        local("node: { remote: { catalog: cat.example., allow: [health.interval, health.canary.cached] } }\n");
    struct conf *c = laid(l,
                          "health: { fall: 9, peers: [ { name: a, resolver: 192.0.2.1, key: other. } ], "
                          "interval: { local: 9s }, canary: { cached: a.example, nxdomain-under: b.example } }",
                          NULL);
    assert_int_equal(c->health.fall, 2);
    assert_int_equal(c->health.peer_count, 0);
    assert_int_equal(c->health.interval.local_ms, 9000);
    assert_string_equal(c->health.canary.cached, "a.example.");
    assert_string_equal(c->health.canary.nxdomain_under, "com.");
    conf_free(c);
    conf_free(l);
}

static void test_keys_have_to_be_here(void **state) {
    (void)state;
    struct conf *l = local("node: { remote: { catalog: cat.example., allow: [\"*\"] } }\n");
    assert_null(
        laid(l, "health: { peers: [ { name: a, resolver: 192.0.2.1, key: other. } ] }", "key other. is not in"));
    conf_free(laid(l, "health: { peers: [ { name: a, resolver: 192.0.2.1, key: MON } ] }", NULL));
    conf_free(l);
}

static void refuses_file(const char *more, const char *words) {
    char text[1024];
    struct conf *conf;
    struct err err = {.text = ""};
    snprintf(text, sizeof text, "rbl: { catalogs: [ { name: own.example. } ] }\nnode: { remote: %s }\n", more);
    assert_true(conf_read_text(&conf, text, strlen(text), "/", "c", &err) < 0);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void test_the_owner_says_what_may_come(void **state) {
    (void)state;
    refuses_file("{ catalog: own.example. }", "node.remote.allow: expected the options");
    refuses_file("{ catalog: own.example., allow: [health.token] }", "node.remote.allow[0]: expected");
    refuses_file("{ catalog: own.example., allow: [health.fall] }", "node.remote.catalog: expected a catalog of");
    refuses_file("{ allow: [health.fall] }", "node.remote.catalog: expected");
    refuses_file("{ catalog: own.example., allow: [\"*\"], over: [rbl] }", "node.remote.over[0]");
}

static void test_files(void **state) {
    struct remote_version v, w;
    struct err err = {.text = ""};
    char path[128];
    (void)state;
    assert_int_equal(remote_read(&w, folder, "offered", &err), E_NOTFOUND);
    assert_int_equal(make(&v, "health: { fall: 4 }", &err), 0);
    v.number = 12;
    v.ready = true;
    strcpy(v.words, "two\nlines");
    assert_int_equal(remote_write(&v, folder, "offered", &err), 0);
    assert_int_equal(remote_read(&w, folder, "offered", &err), 0);
    assert_true(remote_same(&v, &w) && w.ready && !w.report);
    assert_string_equal(w.words, "two?lines");
    assert_string_equal(w.text, v.text);
    remote_version_free(&w);
    /* One octet that is another. */
    snprintf(path, sizeof path, "%s/remote/offered", folder);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, -4, SEEK_END);
    fputc('5', f);
    fclose(f);
    assert_int_equal(remote_read(&w, folder, "offered", &err), E_CORRUPT);
    assert_null(w.text);
    static const char *const broken[] = {"",
                                         "\n\n",
                                         "candor-remote 1",
                                         "candor-remote 1\nversion x\n\n",
                                         "candor-remote 2\nversion 1\n\n",
                                         "candor-remote 1\nversion\n\n"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        f = fopen(path, "w");
        assert_non_null(f);
        fputs(broken[i], f);
        fclose(f);
        assert_int_equal(remote_read(&w, folder, "offered", &err), E_CORRUPT);
    }
    assert_int_equal(remote_remove(folder, "offered", &err), 0);
    assert_int_equal(remote_remove(folder, "offered", &err), 0);
    assert_int_equal(remote_rename(folder, "offered", "applied", &err), E_NOTFOUND);
    remote_version_free(&v);
}

static void test_a_start_with_it(void **state) {
    struct remote_version v, w;
    struct remote_now now;
    struct err err = {.text = ""};
    (void)state;
    const char *yaml = "node: { state: state, remote: { catalog: cat.example., allow: [\"*\"] } }\n";
    char dir[96];
    struct conf *c = local(yaml);
    snprintf(dir, sizeof dir, "%s/state", folder);
    assert_int_equal(mkdir(dir, 0700), 0);
    conf_remote_load(&c, true, &now);
    assert_int_equal(now.v.number, 0);
    assert_int_equal(make(&v, "health: { fall: 4 }", &err), 0);
    v.number = 3;
    assert_int_equal(remote_write(&v, dir, "applied", &err), 0);
    conf_remote_load(&c, false, &now);
    assert_int_equal(now.v.number, 3);
    assert_int_equal(c->health.fall, 4);
    remote_version_free(&v);
    conf_free(c);
    /* On trial: so often, and then no more. */
    assert_int_equal(make(&v, "health: { fall: 7 }", &err), 0);
    v.number = 4;
    assert_int_equal(remote_write(&v, dir, "trying", &err), 0);
    for (int i = 0; i < REMOTE_TRIES; i++) {
        c = local(yaml);
        conf_remote_load(&c, true, &now);
        assert_true(now.trying && now.v.number == 4 && c->health.fall == 7);
        conf_free(c);
    }
    c = local(yaml);
    conf_remote_load(&c, true, &now);
    assert_true(!now.trying && now.v.number == 3 && c->health.fall == 4);
    assert_int_equal(remote_read(&w, dir, "refused", &err), 0);
    assert_true(remote_same(&v, &w));
    assert_non_null(strstr(w.words, "before it was confirmed"));
    assert_int_equal(remote_read(&w, dir, "trying", &err), E_NOTFOUND);
    conf_free(c);
    /* The owner's file does not go with it any more: the file alone. */
    c = local("node: { state: state, remote: { catalog: cat.example., allow: [\"*\"] } }\n"
              "resolver: { listen: [ { address: 127.0.0.1@5380 } ] }\nhealth: { listen: [ 127.0.0.1@5381 ] }\n");
    remote_version_free(&v);
    assert_int_equal(make(&v, "health: { peers: [ { name: a, resolver: 192.0.2.1, key: gone. } ] }", &err), 0);
    v.number = 5;
    assert_int_equal(remote_write(&v, dir, "applied", &err), 0);
    conf_remote_load(&c, true, &now);
    assert_int_equal(now.v.number, 0);
    assert_non_null(strstr(now.words, "gone."));
    assert_int_equal(c->health.peer_count, 0);
    remote_version_free(&v);
    conf_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_may_travel),
        cmocka_unit_test(test_what_may_not),
        cmocka_unit_test(test_values_are_checked_with_their_line),
        cmocka_unit_test_setup_teardown(test_the_file_counts_more, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_only_what_is_allowed_comes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_keys_have_to_be_here, make_folder, remove_folder),
        cmocka_unit_test(test_the_owner_says_what_may_come),
        cmocka_unit_test_setup_teardown(test_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_start_with_it, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
