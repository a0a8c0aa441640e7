/* Log lines: one line each whatever the values hold, JSON that parses, cut at the limit, never waiting. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

/* What a call writes to stderr. */
struct catch {
    int real, file;
    char text[LOG_LINE_MAX * 64];
};

static struct catch caught;

static void catch_start(int target) {
    caught.real = dup(STDERR_FILENO);
    caught.file = target;
    assert_true(caught.real >= 0 && target >= 0);
    assert_true(dup2(target, STDERR_FILENO) >= 0);
}

static void catch_end(void) {
    assert_true(dup2(caught.real, STDERR_FILENO) >= 0);
    close(caught.real);
}

static void catch_begin(void) { catch_start(memfd_create("stderr", MFD_CLOEXEC)); }

static const char *catch_text(void) {
    catch_end();
    ssize_t n = pread(caught.file, caught.text, sizeof(caught.text) - 1, 0);
    close(caught.file);
    assert_true(n >= 0);
    caught.text[n] = '\0';
    return caught.text;
}

static int64_t some_moment(enum clock_kind kind) {
    (void)kind;
    return 1795363200LL * NS_PER_S + 5 * NS_PER_MS; /* 2026-11-22T16:00:00.005Z */
}

static int64_t leap_day(enum clock_kind kind) {
    (void)kind;
    return 951868799LL * NS_PER_S + 999 * NS_PER_MS;
}

static int64_t before_1970(enum clock_kind kind) {
    (void)kind;
    return -1 * NS_PER_MS;
}

static void logfmt(void **state) {
    char want[256];
    (void)state;
    clock_set_source(some_moment);
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    catch_begin();
    LOG(LEVEL_INFO, "zone committed", KS("zone", "bl.example."), KU("serial", 7), KI("left", -3), KF("ms", 1.25));
    clock_set_source(NULL);
    (void)snprintf(want, sizeof(want),
                   "ts=2026-11-22T16:00:00.005Z level=info prog=prog pid=%d msg=\"zone committed\" zone=bl.example. "
                   "serial=7 left=-3 ms=1.25\n",
                   getpid());
    assert_string_equal(catch_text(), want);
}

static void knows_the_calendar(void **state) {
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    catch_begin();
    clock_set_source(leap_day);
    LOG(LEVEL_INFO, "x");
    clock_set_source(before_1970);
    LOG(LEVEL_INFO, "x");
    clock_set_source(NULL);
    const char *text = catch_text();
    assert_non_null(strstr(text, "ts=2000-02-29T23:59:59.999Z "));
    assert_non_null(strstr(text, "ts=1969-12-31T23:59:59.999Z "));
}

static void keeps_its_level(void **state) {
    (void)state;
    log_open("prog", LEVEL_WARN, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    assert_true(log_wants(LEVEL_ERROR));
    assert_true(log_wants(LEVEL_WARN));
    assert_false(log_wants(LEVEL_INFO));
    catch_begin();
    LOG(LEVEL_INFO, "quiet");
    LOG(LEVEL_ERROR, "loud");
    const char *text = catch_text();
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, "level=error"));
}

static void escapes_in_logfmt(void **state) {
    static const char *const rows[][2] = {
        {"plain-1.2_3@53", "v=plain-1.2_3@53\n"},
        {"", "v=\"\"\n"},
        {"two words", "v=\"two words\"\n"},
        {"a=b", "v=\"a=b\"\n"},
        {"quo\"te", "v=\"quo\\\"te\"\n"},
        {"back\\slash", "v=\"back\\\\slash\"\n"},
        {"x\nlevel=error msg=forged", "v=\"x\\nlevel=error msg=forged\"\n"},
        {"\r\t\x1b[31m\x7f", "v=\"\\x0d\\x09\\x1b[31m\\x7f\"\n"},
        {"gr\xc3\xbc\xc3\x9f", "v=\"gr\xc3\xbc\xc3\x9f\"\n"},
        {"\xff\xc3", "v=\"\\xff\\xc3\"\n"},
        {"\xc2\x85", "v=\"\\xc2\\x85\"\n"},          /* a newline of 8-bit terminals */
        {"\xe2\x80\xae", "v=\"\\xe2\\x80\\xae\"\n"}, /* turns the direction of writing */
    };
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        catch_begin();
        LOG(LEVEL_INFO, "m", KS("v", rows[i][0]));
        const char *text = catch_text(), *value = strstr(text, " v=");
        assert_non_null(value);
        assert_string_equal(value + 1, rows[i][1]);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
}

static json_t *parsed(const char *text) {
    json_error_t why;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (j == NULL)
        fail_msg("%s: %s", why.text, text);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    return j;
}

static void json_of_values(void **state) {
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR);
    catch_begin();
    LOG(LEVEL_INFO, "a \"b\"\n", KS("none", NULL), KU("max", INT64_MAX), KI("min", INT64_MIN), KF("nan", 0.0 / 0.0),
        KF("inf", -1.0 / 0.0), KF("x", 0.1));
    json_t *j = parsed(catch_text());
    assert_string_equal(json_string_value(json_object_get(j, "msg")), "a \"b\"\n");
    assert_true(json_is_null(json_object_get(j, "none")));
    assert_true(json_is_null(json_object_get(j, "nan")));
    assert_true(json_is_null(json_object_get(j, "inf")));
    assert_int_equal(json_integer_value(json_object_get(j, "min")), INT64_MIN);
    assert_true(json_real_value(json_object_get(j, "x")) == 0.1);
    json_decref(j);
}

/* Every byte, and every pair of bytes, as a value and as the message. */
static void json_of_any_bytes(void **state) {
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR);
    for (unsigned first = 1; first < 256; first++) {
        char value[3 * 256], *at = value;
        for (unsigned second = 1; second < 256; second++) {
            *at++ = (char)first;
            *at++ = (char)second;
            *at++ = '|';
        }
        *at = '\0';
        catch_begin();
        LOG(LEVEL_INFO, value, KU("n", first));
        LOG(LEVEL_INFO, "m", KS("v", value));
        const char *text = catch_text();
        char *second_line = strchr(text, '\n');
        assert_non_null(second_line);
        json_decref(parsed(second_line + 1));
        second_line[1] = '\0';
        json_decref(parsed(text));
    }
}

static void utf8_survives_json(void **state) {
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR);
    catch_begin();
    LOG(LEVEL_INFO, "m", KS("v", "\xe2\x82\xac \xf0\x9f\x98\x80 \xc2\x85 \xe2\x80\xae \xff"));
    json_t *j = parsed(catch_text());
    assert_string_equal(json_string_value(json_object_get(j, "v")),
                        "\xe2\x82\xac \xf0\x9f\x98\x80 \xc2\x85 \xe2\x80\xae \\xff");
    json_decref(j);
}

/* A value of every length around the limit, of bytes that need one, two or six characters each. */
static void cut_at_the_limit(void **state) {
    static const char kinds[] = {'x', ' ', '"', '\x01', '\xff'};
    static char value[LOG_LINE_MAX + 100];
    (void)state;
    for (size_t k = 0; k < sizeof(kinds); k++) {
        for (size_t n = 200; n < LOG_LINE_MAX + 50; n += n < LOG_LINE_MAX - 200 ? 97 : 1) {
            memset(value, kinds[k], n);
            value[n] = '\0';
            log_open("prog", LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR);
            catch_begin();
            LOG(LEVEL_INFO, "m", KS("v", value), KU("n", 1), KS("w", "tail"), KU("m", 2));
            const char *text = catch_text();
            assert_true(strlen(text) <= LOG_LINE_MAX);
            json_decref(parsed(text));
            log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
            catch_begin();
            LOG(LEVEL_INFO, "m", KS("v", value), KU("n", 1), KS("w", "tail"), KU("m", 2));
            text = catch_text();
            assert_true(strlen(text) <= LOG_LINE_MAX);
            assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
            if (strlen(text) < LOG_LINE_MAX - 100)
                assert_non_null(strstr(text, " m=2\n"));
            else if (strstr(text, " m=2\n") == NULL)
                assert_non_null(strstr(text, "..."));
        }
    }
}

static void many_fields(void **state) {
    struct log_field fields[500];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        fields[i] = KU("key", i);
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    catch_begin();
    log_write(LEVEL_INFO, "m", fields, ARRAY_SIZE(fields));
    const char *text = catch_text();
    assert_true(strlen(text) <= LOG_LINE_MAX);
    assert_string_equal(text + strlen(text) - 5, " ...\n");
}

static void drops_rather_than_waits(void **state) {
    int ends[2];
    char scrap[4096];
    ssize_t n;
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    catch_start(ends[1]);
    for (int i = 0; i < 2000; i++) /* more than a pipe holds; a call that waited would wait for ever */
        LOG(LEVEL_INFO, "nobody reads this, so the pipe is full sooner or later and the rest is dropped");
    do
        n = read(ends[0], scrap, sizeof(scrap));
    while (n > 0);
    LOG(LEVEL_INFO, "back");
    LOG(LEVEL_INFO, "again");
    catch_end();
    n = read(ends[0], scrap, sizeof(scrap) - 1);
    assert_true(n > 0);
    scrap[n] = '\0';
    char *back = strstr(scrap, "msg=back dropped_lines="), *again = strstr(scrap, "msg=again\n");
    assert_non_null(back);
    assert_non_null(again);
    assert_in_range(strtol(back + strlen("msg=back dropped_lines="), NULL, 10), 500, 1990);
    close(ends[0]);
    close(ends[1]);
}

static void closed_stderr_is_no_end(void **state) {
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    int real = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    LOG(LEVEL_INFO, "into nothing");
    assert_int_equal(dup2(real, STDERR_FILENO), STDERR_FILENO);
    close(real);
    catch_begin();
    LOG(LEVEL_INFO, "heard");
    assert_non_null(strstr(catch_text(), "dropped_lines=1\n"));
}

static void syslog_lines(void **state) {
    char folder[] = "/tmp/candor-test-XXXXXX", line[LOG_LINE_MAX], want[128];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/log", folder);
    log_set_syslog(at.sun_path);
    log_open("candor-test", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_SYSLOG);
    catch_begin();
    LOG(LEVEL_WARN, "nobody listens yet");
    assert_non_null(strstr(catch_text(), "nobody listens yet"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    catch_begin();
    LOG(LEVEL_WARN, "now", KS("v", "x\ny"));
    assert_string_equal(catch_text(), "");
    ssize_t n = recv(fd, line, sizeof(line) - 1, 0);
    assert_true(n > 0);
    line[n] = '\0';
    (void)snprintf(want, sizeof(want), "<28>candor-test[%d]: level=warn msg=now v=\"x\\ny\"", getpid());
    assert_string_equal(line, want);
    close(fd);
    unlink(at.sun_path);
    rmdir(folder);
    log_set_syslog("/dev/log");
}

enum { THREADS = 4, LINES = 200 };

static void *writer(void *arg) {
    for (int i = 0; i < LINES; i++)
        LOG(LEVEL_INFO, "from a thread", KS("v", arg));
    return NULL;
}

static void threads_do_not_mix(void **state) {
    static char names[THREADS][120];
    pthread_t thread[THREADS];
    size_t lines = 0;
    (void)state;
    log_open("prog", LEVEL_INFO, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    int file = memfd_create("stderr", MFD_CLOEXEC);
    assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
    catch_start(file);
    for (int i = 0; i < THREADS; i++) {
        memset(names[i], 'a' + i, sizeof(names[i]) - 1);
        assert_int_equal(pthread_create(&thread[i], NULL, writer, names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    catch_end();
    off_t size = lseek(file, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(file, text, (size_t)size, 0), size);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL && rest != NULL; lines++) {
        char *value = strstr(line, " v=");
        assert_non_null(value);
        assert_int_equal(strspn(value + 3, (char[]){value[3], '\0'}), sizeof(names[0]) - 1);
        assert_int_equal(strlen(value + 3), sizeof(names[0]) - 1);
    }
    assert_int_equal(lines, THREADS * LINES);
    free(text);
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),
        cmocka_unit_test(knows_the_calendar),
        cmocka_unit_test(keeps_its_level),
        cmocka_unit_test(escapes_in_logfmt),
        cmocka_unit_test(json_of_values),
        cmocka_unit_test(json_of_any_bytes),
        cmocka_unit_test(utf8_survives_json),
        cmocka_unit_test(cut_at_the_limit),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(drops_rather_than_waits),
        cmocka_unit_test(closed_stderr_is_no_end),
        cmocka_unit_test(syslog_lines),
        cmocka_unit_test(threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
