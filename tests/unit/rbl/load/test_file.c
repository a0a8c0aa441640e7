/* Files: what may be read, what is said about them, and which line an entry comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "rbl/load/impl.h"

static char dir[64], path[2][128];
static const char *paths[2] = {path[0], path[1]};
static struct data *d;
static struct load_report report;
static struct err err;

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_file.XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/list%d", dir, i);
    d = calloc(1, sizeof *d);
    assert_int_equal(data_open(d), 0);
    memset(&report, 0, sizeof report);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++)
        if (unlink(path[i]) < 0)
            rmdir(path[i]);
    rmdir(dir);
    data_free(d);
    free(d);
    return 0;
}

static void write_file(int i, const char *text, size_t size) {
    FILE *f = fopen(path[i], "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(int i, const char *text) { write_file(i, text, strlen(text)); }

static void set_time(int i, time_t when) {
    struct timespec t[2] = {{.tv_sec = when}, {.tv_sec = when}};
    assert_int_equal(utimensat(AT_FDCWD, path[i], t, 0), 0);
}

static int load(enum conf_dataset_type type, size_t files) {
    struct conf_list_text list = {.at = paths, .count = files};
    return load_dataset(d, type, &list, &report, &err);
}

static void files_of_a_dataset_follow_each_other(void **state) {
    (void)state;
    write_text(0, ":4:first $1\n1.0.0.1\n$SOA 0 a b 0 1 1 1 1");
    write_text(1, "1.0.0.2\n$1 one\nbad");
    set_time(0, 1700000005);
    set_time(1, 1700000003);
    assert_int_equal(load(DATASET_IP4SET, 2), 0);
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->n4, 2);
    char text[VALUE_TEXT_MAX];
    assert_string_equal(value_text(&d->value[d->e4[0].value], text), ":127.0.0.4:first one");
    assert_string_equal(value_text(&d->value[d->e4[1].value], text), ":127.0.0.2:");
    assert_int_equal(report.bad_lines, 1);
    assert_ptr_equal(report.note[0].file, paths[1]);
    assert_int_equal(report.note[0].line, 3);
    assert_int_equal(report.newest_file_wall_s, 1700000005);
    assert_int_equal(d->soa.serial, 1700000005);
    assert_int_equal(report.lines, 6);
    assert_int_equal(report.bytes, 58);
}

static void what_cannot_be_read(void **state) {
    (void)state;
    assert_int_equal(load(DATASET_IP4SET, 1), E_NOTFOUND);
    assert_non_null(strstr(err.text, path[0]));
    assert_int_equal(mkdir(path[0], 0700), 0);
    assert_int_equal(load(DATASET_IP4SET, 1), E_INVALID);
    assert_int_equal(rmdir(path[0]), 0);
    assert_int_equal(mkfifo(path[0], 0600), 0);
    assert_int_equal(load(DATASET_IP4SET, 1), E_INVALID); /* and does not wait for a writer */
    assert_int_equal(unlink(path[0]), 0);
    write_text(0, "");
    assert_int_equal(load(DATASET_IP4SET, 1), 0);
    assert_int_equal(data_entries(d), 0);
}

static int write_on(struct load *l, char *text) {
    (void)text;
    if (l->line == 1)
        write_text(0, "1.0.0.1\n1.0.0.2\n1.0.0.3\n");
    return 0;
}

static int rename_over(struct load *l, char *text) {
    (void)text;
    if (l->line == 1) {
        write_text(1, "new");
        assert_int_equal(rename(path[1], path[0]), 0);
    }
    return 0;
}

static void a_file_that_changes_meanwhile(void **state) {
    (void)state;
    struct load l = {.d = d, .report = &report, .err = &err, .file = path[0]};
    write_text(0, "1.0.0.1\n1.0.0.2\n");
    set_time(0, 1700000000);
    assert_int_equal(load_lines_file(&l, path[0], write_on), E_AGAIN);
    l.line = 0;
    assert_int_equal(load_lines_file(&l, path[0], rename_over), 0); /* the old one was read whole */
    assert_int_equal(l.line, 3);
}

static void write_gzip(int i, const char *text, size_t size) {
    gzFile gz = gzopen(path[i], "wb");
    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, text, (unsigned)size), (int)size);
    assert_int_equal(gzclose(gz), Z_OK);
}

static void gzip(void **state) {
    (void)state;
    size_t size = 3 << 20, at = 0;
    char *text = malloc(size);
    unsigned n = 0;
    for (; at + 32 < size; n++)
        at += (size_t)sprintf(text + at, "10.%u.%u.%u\n", n >> 16, n >> 8 & 255, n & 255);
    write_gzip(0, text, at);
    assert_int_equal(load(DATASET_IP4SET, 1), 0);
    assert_int_equal(d->n4, n);
    assert_int_equal(report.bytes, at);
    struct stat st;
    assert_int_equal(stat(path[0], &st), 0);
    assert_int_equal(truncate(path[0], st.st_size / 2), 0);
    assert_int_equal(load(DATASET_IP4SET, 1), E_CORRUPT);
    write_text(0, "\x1f\x8b plain rubbish");
    assert_int_equal(load(DATASET_IP4SET, 1), E_CORRUPT);
    write_text(0, "\x1f\x8b");
    assert_int_equal(load(DATASET_IP4SET, 1), E_CORRUPT);
    free(text);
}

static void lines_across_blocks(void **state) {
    (void)state;
    size_t size = 4 << 20, at = 0;
    char *text = malloc(size);
    unsigned n = 0;
    for (; at + 64 < size; n++)
        at += (size_t)sprintf(text + at, "%*s10.%u.%u.%u :5:x\n", (int)(n % 7), "", n >> 16, n >> 8 & 255, n & 255);
    write_file(0, text, at - 1); /* without the last newline */
    assert_int_equal(load(DATASET_IP4TRIE, 1), 0);
    assert_int_equal(data_settle(d, &err), 0);
    assert_int_equal(d->n4, n);
    for (unsigned i = 0; i < n; i++)
        if (d->e4[i].addr != (10u << 24 | i) || d->e4[i].bits != 32)
            fail_msg("entry %u", i);
    assert_int_equal(report.lines, n);
    assert_int_equal(report.bad_lines, 0);
    free(text);
}

static unsigned line4(enum conf_dataset_type type, const char *addr, unsigned bits, struct load_place *place) {
    struct conf_dataset data = {type, {.at = paths, .count = 2}};
    struct load_key key = {.kind = LOAD_KEY_4, .bits = bits, .excluded = *addr == '!'};
    struct in_addr a;
    assert_int_equal(inet_pton(AF_INET, addr + key.excluded, &a), 1);
    key.addr = ntohl(a.s_addr);
    assert_int_equal(load_find(&data, 1, &key, place, &err), 0);
    return place->line;
}

static void which_line(void **state) {
    (void)state;
    struct load_place place;
    static const char one[] = "# 1\n10.0.0.0/8 :2:wide\n10.1.2\n$MAXRANGE4 65536\n11/8\n";
    static const char two[] = "\n10.1.3.1-10 some\ttext \xc3\xa9 \xff\n!10.1.2.3\n11/8\n";
    write_file(0, one, sizeof one - 1);
    write_file(1, two, sizeof two - 1);
    assert_int_equal(line4(DATASET_IP4SET, "10.9.9.9", 8, &place), 2);
    assert_string_equal(place.text, "10.0.0.0/8 :2:wide");
    assert_ptr_equal(place.file, paths[0]);
    assert_int_equal(line4(DATASET_IP4SET, "10.1.2.77", 24, &place), 3);
    assert_int_equal(line4(DATASET_IP4SET, "10.1.3.5", 30, &place), 2);
    assert_ptr_equal(place.file, paths[1]);
    assert_string_equal(place.text, "10.1.3.1-10 some?text \xc3\xa9 ?");
    assert_int_equal(line4(DATASET_IP4SET, "10.1.3.8", 31, &place), 2);
    assert_int_equal(line4(DATASET_IP4SET, "10.1.3.8", 32, &place), 0); /* part of 10.1.3.8/31 */
    assert_int_equal(line4(DATASET_IP4SET, "!10.1.2.3", 32, &place), 3);
    assert_string_equal(place.text, "!10.1.2.3");
    assert_int_equal(line4(DATASET_IP4SET, "11.0.0.1", 8, &place), 0);
    assert_null(place.file);
}

static unsigned line6(const struct conf_dataset *data, const char *addr, unsigned bits, struct load_place *place) {
    struct load_key key = {.kind = LOAD_KEY_6, .bits = bits, .excluded = *addr == '!'};
    assert_int_equal(inet_pton(AF_INET6, addr + key.excluded, key.addr6), 1);
    assert_int_equal(load_find(data, 1, &key, place, &err), 0);
    return place->line;
}

static int find_name(const struct conf_dataset *data, size_t count, unsigned dataset, const char *text,
                     const struct value *v, struct load_place *place) {
    struct name n;
    unsigned bits = text[0] == '*';
    struct load_key key = {.dataset = dataset, .kind = LOAD_KEY_NAME, .bits = bits, .name = &n, .value = v};
    assert_int_equal(name_from_text(&n, text + 2 * bits, NULL), 0);
    int rc = load_find(data, count, &key, place, &err);
    return rc < 0 ? rc : (int)place->line;
}

static void which_line_of_other_types(void **state) {
    (void)state;
    struct conf_dataset data = {DATASET_IP6TRIE, {.at = paths, .count = 1}};
    struct load_place place;
    write_text(0, "2001:db8::/32\n2001:db8:1::/48\n.x.org\n*.y.org\ny.org :9\n!1:2:3:4::5\n1:2:3:4\n");
    assert_int_equal(line6(&data, "2001:db8:1::7", 48, &place), 2);
    assert_int_equal(line6(&data, "2001:db8:1::7", 32, &place), 1);
    assert_int_equal(line6(&data, "2001:db8:1::7", 47, &place), 0);
    struct load_key key = {.kind = LOAD_KEY_6, .bits = 129};
    assert_int_equal(load_find(&data, 1, &key, &place, &err), E_RANGE);
    key = (struct load_key){.kind = LOAD_KEY_4, .bits = 33};
    assert_int_equal(load_find(&data, 1, &key, &place, &err), E_RANGE);
    key = (struct load_key){.kind = LOAD_KEY_NAME};
    assert_int_equal(load_find(&data, 1, &key, &place, &err), E_RANGE);
    data.type = DATASET_IP6TSET;
    assert_int_equal(line6(&data, "!1:2:3:4::5", 128, &place), 6);
    assert_int_equal(line6(&data, "1:2:3:4::5", 64, &place), 7);
    data.type = DATASET_DNSET;
    assert_int_equal(find_name(&data, 1, 0, "*.X.org.", NULL, &place), 3);
    assert_int_equal(find_name(&data, 1, 0, "X.org.", NULL, &place), 3);
    assert_int_equal(find_name(&data, 1, 0, "y.org.", NULL, &place), 5);
    assert_int_equal(find_name(&data, 1, 1, "y.org.", NULL, &place), 0);
    assert_int_equal(unlink(path[0]), 0);
    assert_int_equal(find_name(&data, 1, 0, "y.org.", NULL, &place), E_NOTFOUND);
    write_text(0, "1.2.3.0/24 :refuse\n1.2.3.4\n1:2::/32\n");
    data.type = DATASET_ACL;
    assert_int_equal(line6(&data, "1:2:3::", 32, &place), 3);
    key = (struct load_key){.kind = LOAD_KEY_4, .bits = 24, .addr = 0x01020300};
    assert_int_equal(load_find(&data, 1, &key, &place, &err), 0);
    assert_int_equal(place.line, 1);
}

/* One RR of several, and the parts of combined datasets, which are numbered on. */
static void which_line_of_a_part(void **state) {
    (void)state;
    const struct conf_dataset data[] = {{DATASET_COMBINED, {.at = paths, .count = 1}},
                                        {DATASET_DNSET, {.at = paths + 1, .count = 1}},
                                        {DATASET_COMBINED, {.at = paths, .count = 1}}};
    struct load_place place;
    write_text(0, "$TTL 7\n$DATASET dnset a\nx\n$DATASET generic b @\nx A 1.2.3.4\nx MX 10 m\nx MX 20 m\n$DATASET "
                  "ip4set c\n1.2.3.4\n");
    write_text(1, "y\nx\n");
    struct value mx = {.kind = VALUE_RR, .type = 15, .ttl = 7, .txt_size = 5, .txt = "\0\24\1m\0"};
    assert_int_equal(find_name(data, 3, 0, "x.", NULL, &place), 3);
    assert_int_equal(find_name(data, 3, 1, "x.", NULL, &place), 5);
    assert_int_equal(find_name(data, 3, 1, "x.", &mx, &place), 7);
    mx.txt[1] = 30;
    assert_int_equal(find_name(data, 3, 1, "x.", &mx, &place), 0);
    assert_int_equal(find_name(data, 3, 2, "x.", NULL, &place), 0);
    assert_int_equal(find_name(data, 3, 3, "x.", NULL, &place), 2);
    assert_ptr_equal(place.file, paths[1]);
    assert_int_equal(find_name(data, 3, 4, "x.", NULL, &place), 3);
    struct load_key key = {.dataset = 6, .kind = LOAD_KEY_4, .bits = 32, .addr = 0x01020304};
    assert_int_equal(load_find(data, 3, &key, &place, &err), 0);
    assert_int_equal(place.line, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_of_a_dataset_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_changes_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_across_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(which_line, setup, teardown),
        cmocka_unit_test_setup_teardown(which_line_of_other_types, setup, teardown),
        cmocka_unit_test_setup_teardown(which_line_of_a_part, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
