/* Keeping and the disk: what lies about at opening, full disks, hostile and damaged records, maps, names of folders. */
#include "tests/unit/rbl/keep/rows.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void touch(const struct conf_zone *z, const char *name, const char *text) {
    char path[300];
    snprintf(path, sizeof path, "%s/zones/%s/%s", state_dir, z->name, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool there(const struct conf_zone *z, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/zones/%s/%s", state_dir, z->name, name);
    return access(path, F_OK) == 0;
}

static void half_made_generations_go(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files", .serial_hint = 3};
    struct keep_result r;
    char path[300];
    assert_int_equal(replace_row(k, 0, 100, 1, &c, &r, NULL), 0);
    keep_close(k);
    snprintf(path, sizeof path, "%s/zones/%s/g9", state_dir, z.name);
    assert_int_equal(mkdir(path, 0700), 0);
    touch(&z, "g9/data.mdb", "half");
    snprintf(path, sizeof path, "%s/zones/%s/g10.new", state_dir, z.name);
    assert_int_equal(mkdir(path, 0700), 0);
    touch(&z, "g10.new/data.mdb", "half");
    touch(&z, "current.new", "g9\n");
    touch(&z, "notes.txt", "a person's own");
    k = keep_of(&z);
    assert_int_equal(state_of(k).serial, 3);
    assert_false(there(&z, "g9"));
    assert_false(there(&z, "g10.new"));
    assert_true(there(&z, "notes.txt"));
    assert_true(there(&z, "g1/data.mdb"));
    keep_close(k);
    /* a pointer to what is not there, or to garbage: this zone's error, with a text, nothing deleted */
    struct err err = {0};
    touch(&z, "current", "g5\n");
    assert_true(keep_open(&k, state_dir, &z, &err) < 0);
    assert_non_null(strstr(err.text, z.name));
    touch(&z, "current", "nonsense");
    assert_int_equal(keep_open(&k, state_dir, &z, &err), E_CORRUPT);
    assert_true(there(&z, "g1/data.mdb"));
    touch(&z, "current", "g1\n");
    k = keep_of(&z);
    verified(k);
    keep_close(k);
    /* a lost pointer is found again: a whole generation never goes because of it */
    snprintf(path, sizeof path, "%s/zones/%s/current", state_dir, z.name);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/zones/%s/g7.new", state_dir, z.name);
    assert_int_equal(mkdir(path, 0700), 0);
    k = keep_of(&z);
    assert_int_equal(state_of(k).serial, 3);
    assert_true(there(&z, "current"));
    assert_false(there(&z, "g7.new"));
    verified(k);
    keep_close(k);
}

/* The disk refuses in the middle of a commit: an error, the old state, and the next commit works. */
static void a_full_disk(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep_commit c = {.source = "files", .serial_hint = 3};
    struct keep_result r;
    struct keep *k = keep_of(&z);
    assert_int_equal(replace_row(k, 0, 9000, 70000, &c, &r, NULL), 0);
    keep_close(k);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 200000, .rlim_max = RLIM_INFINITY};
        struct err err = {0};
        signal(SIGXFSZ, SIG_IGN);
        k = keep_of(&z);
        setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 0; i < 3; i++) {
            if (replace_row(k, 4000, 9000, 70000, &c, &r, &err) >= 0 || err.text[0] == '\0' || state_of(k).serial != 3)
                _exit(1);
            if (replace_row(k, 40000, 40000, 70001, &c, &r, &err) >= 0 ||
                state_of(k).serial != 3) /* a new generation */
                _exit(2);
        }
        if (keep_verify(k, &err) != 0)
            _exit(3);
        limit.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_FSIZE, &limit);
        if (replace_row(k, 4000, 9000, 70000, &c, &r, &err) != 0 || state_of(k).serial != 4 ||
            keep_verify(k, &err) != 0)
            _exit(4);
        keep_close(k);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
    k = keep_of(&z);
    assert_int_equal(state_of(k).serial, 4);
    assert_false(there(&z, "g2"));
    assert_false(there(&z, "g2.new"));
    verified(k);
    keep_close(k);
}

struct forge {
    const char *key;
    const uint8_t *at;
    size_t size;
    unsigned table;
};

static int forge_body(struct store_txn *t, void *ctx, struct err *err) {
    const struct forge *f = ctx;
    (void)err;
    return store_put(t, f->table, (struct bytes){(const uint8_t *)f->key, strlen(f->key)},
                     (struct bytes){f->at, f->size});
}

/* Any bytes in any record: an error with a text, or a sane zone; never a crash. */
static void hostile_records(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct data d;
    data_new(&d, 2, DATASET_IP4TRIE, DATASET_DNSET);
    uint32_t v = value_of(&d, 2, "text");
    add(&d, 0, "10.0.0.0/8", v);
    add(&d, 0, "10.1.1.1", v);
    add(&d, 1, "example.com", v);
    settle(&d);
    commit(k, &d);
    static const char *const keys[] = {"zone", "apex", "counts"};
    struct meta *m = calloc(1, sizeof *m);
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        uint8_t good[4096];
        struct store_txn *t;
        struct bytes record;
        assert_int_equal(store_read_begin(k->store, &t, NULL), 0);
        assert_int_equal(store_get(t, TABLE_META, (struct bytes){(const uint8_t *)keys[i], strlen(keys[i])}, &record),
                         0);
        memcpy(good, record.at, record.size);
        size_t size = record.size;
        store_read_end(t);
        for (unsigned round = 0; round < 300; round++) {
            uint8_t bad[4096];
            struct err err = {0};
            memcpy(bad, good, size);
            if (round % 2)
                bad[any((uint32_t)size)] ^= (uint8_t)(1 + any(255));
            struct forge f = {keys[i], bad, round % 2 ? size : any((uint32_t)size), TABLE_META};
            assert_int_equal(store_write(k->store, forge_body, &f, NULL), 0);
            assert_int_equal(store_read_begin(k->store, &t, NULL), 0);
            int rc = keep_read_meta(t, m, &err);
            assert_true(rc == 0 || err.text[0] != '\0');
            if (rc == 0)
                rc = verify_all(t, m, &err);
            assert_true(rc == 0 || err.text[0] != '\0');
            store_read_end(t);
        }
        struct forge f = {keys[i], good, size, TABLE_META};
        assert_int_equal(store_write(k->store, forge_body, &f, NULL), 0);
        verified(k);
    }
    uint8_t later[] = {0x43, 0x5a, 0x4e, 0x31, 0, 9};
    struct forge f = {"zone", later, sizeof later, TABLE_META};
    struct err err = {0};
    assert_int_equal(store_write(k->store, forge_body, &f, NULL), 0);
    assert_int_equal(keep_verify(k, &err), E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "format 9"));
    keep_close(k);
    assert_int_equal(keep_open(&k, state_dir, &z, &err), E_UNSUPPORTED);
    data_free(&d);
    free(m);
}

static void damage_is_noticed(void **state) {
    (void)state;
    static const struct {
        unsigned table;
        const char *key;
        const char *bytes;
    } damage[] = {
        {TABLE_4, "\001\020zz", "\040\0\001\0\001"}, {TABLE_4, "\001\020", "x"},  {TABLE_NAMES, "\001\003com", "\003"},
        {TABLE_NAMES, "\001\004com", "\003"},        {TABLE_VALUES, "abcd", "x"}, {TABLE_JOURNAL, "abc", "x"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(damage); i++) {
        struct conf_zone z = zone_new();
        struct keep *k = keep_of(&z);
        struct keep_commit c = {.source = "files"};
        struct keep_result r;
        struct err err = {0};
        assert_int_equal(replace_row(k, 0, 300, 1, &c, &r, NULL), 0);
        struct forge f = {damage[i].key, (const uint8_t *)damage[i].bytes, strlen(damage[i].bytes) + 1,
                          damage[i].table};
        assert_int_equal(store_write(k->store, forge_body, &f, NULL), 0);
        assert_int_equal(keep_verify(k, &err), E_CORRUPT);
        uint32_t serial = state_of(k).serial, many = damage[i].table == TABLE_JOURNAL ? 30000 : 300;
        assert_int_equal(replace_row(k, 1, many, 1, &c, &r, &err), 0); /* healed from good data */
        assert_true(r.changed && r.bulk);
        assert_int_equal(state_of(k).serial, serial + 1);
        assert_int_equal(state_of(k).commits, 2);
        verified(k);
        keep_close(k);
    }
}

static void unsorted_data_is_refused(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files"};
    struct keep_result r;
    struct err err = {0};
    struct data d;
    row(&d, 0, 300, 100000);
    struct entry4 e = d.e4[0];
    d.e4[0] = d.e4[299];
    d.e4[299] = e;
    assert_true(keep_replace(k, &d, &c, &r, &err) < 0);
    assert_true(state_of(k).empty);
    d.e4[299].value = 77;
    assert_int_equal(keep_replace(k, &d, &c, &r, &err), E_INVALID);
    d.e4[299].value = 1;
    d.e4[299].dataset = 1;
    assert_int_equal(keep_replace(k, &d, &c, &r, &err), E_INVALID);
    data_free(&d);
    assert_int_equal(replace_row(k, 0, 300, 100000, &c, &r, &err), 0);
    verified(k);
    keep_close(k);
}

/* The map starts at 1 MiB and the changes need far more: grown in the middle of commits. */
static void the_map_grows(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    struct keep *k = keep_of(&z);
    struct keep_commit c = {.source = "files"};
    struct keep_result r;
    struct err err = {0};
    for (uint32_t n = 10; n <= 200000; n += n < 9000 ? 3000 : n / 5) {
        if (replace_row(k, 0, n, 65536 / 64 + 1, &c, &r, &err) != 0)
            fail_msg("%u: %s", n, err.text);
        verified(k);
    }
    keep_close(k);
}

static void odd_zone_names(void **state) {
    (void)state;
    static const struct {
        const char *zone, *dir;
    } names[] = {{"bl.example.", "bl.example."}, {".", "%2E"},    {"../x.", "%2E.%2Fx."}, {"a b.", "a%20b."},
                 {"\\047.", "%5C047."},          {"Up.", "%55p."}};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        char path[KEEP_PATH_MAX], expect[300];
        assert_int_equal(keep_dir(path, state_dir, names[i].zone, NULL), 0);
        snprintf(expect, sizeof expect, "%s/zones/%s", state_dir, names[i].dir);
        assert_string_equal(path, expect);
    }
    char path[KEEP_PATH_MAX];
    assert_int_equal(keep_dir(path, state_dir, "", NULL), E_RANGE);
}

static void takes_soa_and_ns(void **state) {
    (void)state;
    struct conf_zone z = zone_new();
    const char *ns[] = {"ns1.example."};
    z.soa = (struct conf_soa){"ns.example.", "Host.example.", 1, 2, 3, 4};
    z.ns = (struct conf_list_text){ns, 1};
    struct keep *k = keep_of(&z);
    struct data d;
    for (unsigned round = 0; round < 2; round++) {
        char text[NAME_TEXT_MAX];
        row(&d, 0, 10, 1);
        d.ttl = 99;
        if (round == 1) {
            d.has_soa = true;
            assert_int_equal(name_from_text(&d.soa.primary, "file.example.", NULL), 0);
            assert_int_equal(name_from_text(&d.soa.contact, "mail.example.", NULL), 0);
            d.soa.refresh = 50;
            d.soa_ttl = 51;
            d.ns_count = 1;
            d.ns_ttl = 52;
            assert_int_equal(name_from_text(&d.ns[0], "ns9.example.", NULL), 0);
        }
        struct keep_result r = commit(k, &d);
        assert_true(r.changed);
        data_free(&d);
        pid_t pid = fork();
        if (pid == 0) {
            struct view *v = view_of(&z);
            if (view_begin(v, 0, NULL) != 0)
                _exit(1);
            const struct view_apex *a = view_apex(v);
            struct keep_state st = state_of(k);
            bool ok = a->ttl == 99 && a->serial == st.serial && a->soa.serial == st.serial && a->ns_count == 1 &&
                      a->entries == 10;
            name_text(&a->soa.primary, text);
            ok = ok && strcmp(text, round ? "file.example." : "ns.example.") == 0;
            ok = ok && a->soa.refresh == (round ? 50 : 1) && a->soa_ttl == (round ? 51 : 4) &&
                 a->ns_ttl == (round ? 52 : 99);
            name_text(&a->soa.contact, text);
            ok = ok && strcmp(text, round ? "mail.example." : "host.example.") == 0;
            name_text(&a->ns[0], text);
            _exit(ok && strcmp(text, round ? "ns9.example." : "ns1.example.") == 0 ? 0 : 2);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    keep_close(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_made_generations_go), cmocka_unit_test(a_full_disk),
        cmocka_unit_test(hostile_records),          cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(unsorted_data_is_refused), cmocka_unit_test(the_map_grows),
        cmocka_unit_test(odd_zone_names),           cmocka_unit_test(takes_soa_and_ns),
    };
    return cmocka_run_group_tests(tests, make_state, drop_state);
}
