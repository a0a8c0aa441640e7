/* Configurations in files: paths, what is no file, the example, and that every key is written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/conf.h"
#include "resolver/base/conf_raw.h"
#include "tests/unit/resolver/base/conf_helper.h"

static char folder[32];
static char home[4096];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/candor-test-XXXXXX");
    return mkdtemp(folder) != NULL && getcwd(home, sizeof(home)) != NULL ? 0 : -1;
}

static int drop_folder(void **state) {
    char path[64];
    (void)state;
    if (chdir(home) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/link.yaml", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/c.yaml", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static struct conf *read_file(const char *path) {
    struct err err = {0};
    struct conf *c;
    if (conf_read(&c, path, &err) != E_OK)
        fail_msg("%s", err.text);
    return c;
}

/* Relative paths start at the file's directory, however the file was named. */
static void relative_paths(void **state) {
    char path[64], want[64], link_path[64];
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/c.yaml", folder);
    (void)snprintf(want, sizeof(want), "%s/state", folder);
    write_file(path, "node: {state: state}\n");
    struct conf *c = read_file(path);
    assert_string_equal(c->node.state, want);
    assert_string_equal(c->path, path);
    conf_free(c);
    assert_int_equal(chdir(folder), 0);
    c = read_file("c.yaml");
    assert_string_equal(c->node.state, want);
    assert_string_equal(c->path, path);
    conf_free(c);
    /* A link: what stands beside the link is meant. */
    (void)snprintf(link_path, sizeof(link_path), "%s/link.yaml", folder);
    assert_int_equal(symlink("/dev/null", link_path), 0);
    c = read_file("link.yaml");
    assert_string_equal(c->path, link_path);
    conf_free(c);
    assert_int_equal(chdir("/"), 0);
    c = read_file(path + 1); /* from the root: no double slash */
    assert_string_equal(c->path, path);
    conf_free(c);
}

static void names_the_file(void **state) {
    char path[64], want[128];
    struct err err = {0};
    struct conf *c;
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/c.yaml", folder);
    (void)snprintf(want, sizeof(want), "%s:2: log.level: expected one of", path);
    write_file(path, "log:\n  level: loud\n");
    assert_int_equal(conf_read(&c, path, &err), E_INVALID);
    assert_memory_equal(err.text, want, strlen(want));
}

static void what_is_no_file(void **state) {
    char path[64], longer[8192];
    struct err err = {0};
    struct conf *c;
    (void)state;
    (void)snprintf(path, sizeof(path), "%s/c.yaml", folder);
    assert_int_equal(conf_read(&c, path, &err), E_NOTFOUND);
    assert_null(c);
    assert_memory_equal(err.text, path, strlen(path));
    assert_true(conf_read(&c, folder, &err) < 0);
    assert_null(c);
    assert_true(conf_read(&c, "", &err) < 0);
    assert_int_equal(conf_read(&c, "/dev/zero", &err), E_FULL);
    assert_null(c);
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_true(conf_read(&c, longer, &err) < 0);
    assert_null(c);
}

/* The whole of a file; the caller frees it. Tests run in the top folder of the project. */
static char *whole(const char *path) {
    FILE *f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s is not there (the folder of the project is where tests run)", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    assert_int_equal(fclose(f), 0);
    return text;
}

/* The example says what the defaults are, so reading it must change nothing. */
static void example_is_the_default(void **state) {
    struct conf *c = read_file("conf/candor.yaml"), *d = read_file("/dev/null");
    (void)state;
    assert_string_equal(c->node.name, d->node.name);
    assert_string_equal(c->node.state, d->node.state);
    assert_string_equal(c->node.run, d->node.run);
    assert_memory_equal(&c->log, &d->log, sizeof(c->log));
    assert_true(addr_same(&c->resolver.listen[0].address, &d->resolver.listen[0].address));
    assert_int_equal(c->resolver.listen_count, d->resolver.listen_count);
    assert_int_equal(c->resolver.workers, d->resolver.workers);
    assert_int_equal(c->resolver.allow.count, d->resolver.allow.count);
    assert_memory_equal(c->resolver.allow.at, d->resolver.allow.at, sizeof(struct prefix) * d->resolver.allow.count);
    const struct conf_rate_limit *rate = &c->resolver.rate_limit, *usual = &d->resolver.rate_limit;
    assert_int_equal(rate->responses_per_second, usual->responses_per_second);
    assert_int_equal(rate->errors_per_second, usual->errors_per_second);
    assert_int_equal(rate->slip, usual->slip);
    assert_int_equal(rate->exempt.count, usual->exempt.count);
    assert_memory_equal(rate->exempt.at, usual->exempt.at, sizeof(struct prefix) * usual->exempt.count);
    assert_int_equal(c->resolver.fairness, d->resolver.fairness);
    assert_string_equal(c->resolver.dnstap.socket, d->resolver.dnstap.socket);
    assert_string_equal(c->resolver.dnstap.file, d->resolver.dnstap.file);
    assert_int_equal(c->resolver.dnstap.clients, d->resolver.dnstap.clients);
    assert_int_equal(c->resolver.dnstap.upstream, d->resolver.dnstap.upstream);
    assert_int_equal(c->resolver.udp_size, d->resolver.udp_size);
    assert_memory_equal(&c->resolver.cache, &d->resolver.cache, sizeof(c->resolver.cache));
    assert_int_equal(c->resolver.recursion.timeout_ms, d->resolver.recursion.timeout_ms);
    assert_int_equal(c->resolver.recursion.max_queries, d->resolver.recursion.max_queries);
    assert_int_equal(c->resolver.recursion.edns_size, d->resolver.recursion.edns_size);
    assert_true(addr_same(&c->rbl.listen.at[0], &d->rbl.listen.at[0]));
    assert_true(addr_same(&c->health.listen.at[0], &d->health.listen.at[0]));
    assert_memory_equal(&c->health.interval, &d->health.interval, sizeof(c->health.interval));
    assert_memory_equal(&c->health.heal, &d->health.heal, sizeof(c->health.heal));
    assert_string_equal(c->health.canary.cached, d->health.canary.cached);
    assert_string_equal(c->health.canary.nxdomain_under, d->health.canary.nxdomain_under);
    assert_int_equal(c->rbl.zone_count + c->rbl.key_count, 0);
    conf_free(c);
    conf_free(d);
}

/* The parts of the example that are commented out are right, too: all "# " at the start of an entry taken away. */
static void example_without_comments(void **state) {
    static const struct {
        const char *empty, *commented;
    } parts[] = {{"  forward: []", "  # forward:"},     {"  stub: []", "  # stub:"},   {"  guard: []", "  # guard:"},
                 {"  overrides: []", "  # overrides:"}, {"  keys: []", "  # keys:"},   {"  zones: []", "  # zones:"},
                 {"  catalogs: []", "  # catalogs:"},   {"  peers: []", "  # peers:"}, {"    # sql:", "    # sql:"},
                 {"    # snmp:", "    # snmp:"}};
    char *text = whole("conf/candor.yaml"), *out = calloc(1, 1 << 20), *rest = text, *line;
    bool open = false;
    size_t n = 0, opened = 0;
    (void)state;
    assert_non_null(out);
    while ((line = strsep(&rest, "\n")) != NULL) {
        bool drop = false;
        size_t indent = strspn(line, " ");
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            if (strncmp(line, parts[i].commented, strlen(parts[i].commented)) == 0) {
                open = true;
                opened++;
            } else if (strncmp(line, parts[i].empty, strlen(parts[i].empty)) == 0) {
                drop = true;
            }
        }
        open = open && line[indent] == '#';
        if (open)
            n += (size_t)sprintf(out + n, "%.*s%s\n", (int)indent, line, line + indent + 2);
        else if (!drop)
            n += (size_t)sprintf(out + n, "%s\n", line);
    }
    assert_int_equal(opened, sizeof(parts) / sizeof(parts[0]));
    struct conf *c = conf_of(out);
    assert_int_equal(c->rbl.zone_count, 2 + 2);
    assert_int_equal(c->rbl.zone_fixed, 2 + 2);
    assert_int_equal(c->rbl.key_count, 1);
    assert_int_equal(c->rbl.catalog_count, 2);
    assert_ptr_equal(c->rbl.zones[2].catalog, &c->rbl.catalogs[0]);
    assert_int_equal(c->rbl.catalogs[0].groups[0].options.count, 2);
    assert_string_equal(c->rbl.catalogs[0].groups[0].options.at[0].key, "ttl");
    assert_string_equal(c->rbl.catalogs[0].groups[0].options.at[0].value, "\"60s\"");
    assert_int_equal(c->rbl.catalogs[1].primaries.count, 0);
    assert_int_equal(c->resolver.forward_count, 1);
    assert_int_equal(c->resolver.stub_count, 1);
    assert_int_equal(c->resolver.guard_count, 1);
    assert_int_equal(c->resolver.override_count, 1);
    assert_int_equal(c->health.peer_count, 1);
    assert_true(c->health.sql.enabled);
    assert_true(c->rbl.zones[0].soa_set);
    for (size_t i = 0; i < c->later.count; i++)
        assert_null(strstr(c->later.at[i], "names no entry"));
    conf_free(c);
    free(out);
    free(text);
}

/* "key:" in the example, `key` in the manual, alone or as part of a path or list. */
static bool written_down(const char *text, const char *key, bool manual) {
    size_t n = strlen(key);
    for (const char *at = strstr(text, key); at != NULL; at = strstr(at + 1, key)) {
        char first = at > text ? at[-1] : ' ';
        if (manual ? strchr("`. [", first) != NULL && strchr("`.[, \n", at[n]) != NULL
                   : at[n] == ':' && (first == ' ' || first == '\n'))
            return true;
    }
    return false;
}

static size_t each_key(const cyaml_schema_field_t *f, const char *example, const char *manual) {
    size_t keys = 0;
    for (; f->key != NULL; f++) {
        const cyaml_schema_value_t *v = f->value.type == CYAML_SEQUENCE ? f->value.sequence.entry : &f->value;
        if (!written_down(example, f->key, false))
            fail_msg("conf/candor.yaml does not have %s:", f->key);
        if (!written_down(manual, f->key, true))
            fail_msg("docs/configuration.md does not have %s", f->key);
        keys += 1 + (v->type == CYAML_MAPPING ? each_key(v->mapping.fields, example, manual) : 0);
    }
    return keys;
}

static void every_key_is_written_down(void **state) {
    char *example = whole("conf/candor.yaml"), *manual = whole("docs/configuration.md");
    (void)state;
    assert_true(each_key(conf_schema.mapping.fields, example, manual) > 150);
    free(example);
    free(manual);
}

/* The contract that the project was given, where it is at hand. */
static void contract(void **state) {
    const char *path = getenv("CANDOR_SPEC");
    (void)state;
    if (path == NULL)
        skip();
    struct conf *c = read_file(path);
    assert_string_equal(c->node.name, "scan1");
    assert_int_equal(c->resolver.listen_count, 2);
    assert_int_equal(c->resolver.guard_count, 1);
    assert_int_equal(c->rbl.zone_count, 1);
    assert_int_equal(c->rbl.zones[0].transfer.count, 2);
    assert_int_equal(c->health.peer_count, 1);
    assert_true(c->health.sql.enabled);
    conf_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(relative_paths, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(names_the_file, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(what_is_no_file, make_folder, drop_folder),
        cmocka_unit_test(example_is_the_default),
        cmocka_unit_test(example_without_comments),
        cmocka_unit_test(every_key_is_written_down),
        cmocka_unit_test(contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
