/* Messages of syslog: their form with any words in them, and sockets that are there, away, full and restarted. */
#include "health/report/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/base/bytes.h"

enum { PATIENCE_MS = 20000 };

#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        int left = PATIENCE_MS;                                                                                        \
        while (!(condition) && left-- > 0)                                                                             \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);                                                   \
        assert_true(condition);                                                                                        \
    } while (0)

static const struct event fell = {.sequence = 90,
                                  .boot = 0x123456789abcdef,
                                  .wall_ms = 1764000000123,
                                  .kind = EVENT_CHECK,
                                  .scope = SCOPE_WORKER,
                                  .from = VERDICT_PASS,
                                  .to = VERDICT_FAIL,
                                  .what = "worker:answers worker 0",
                                  .cause = "no answer"};

static void forms(void **state) {
    (void)state;
    char text[SYSLOG_MESSAGE_MAX];
    struct conf_syslog udp = {.has_address = true, .facility = 3}, local = {.facility = 16};
    size_t n = syslog_message(&fell, "scan1", &udp, 411, 0, text);
    assert_string_equal(
        text, "<27>1 2025-11-24T16:00:00.123Z scan1 candor-health 411 check [candor@8072.9999.9999 node=\"scan1\" "
              "event=\"90\" boot=\"0123456789abcdef\" kind=\"check\" scope=\"worker\" what=\"worker:answers worker 0\" "
              "from=\"pass\" to=\"fail\"] worker:answers worker 0: pass -> fail: no answer");
    assert_int_equal(n, strlen(text));
    struct event e = fell;
    e.kind = EVENT_SCOPE;
    e.to = VERDICT_WARN;
    e.what[0] = e.cause[0] = '\0';
    assert_true(syslog_message(&e, "scan1", &local, 411, 7, text) > 0);
    assert_string_equal(
        text, "<132>candor-health[411]: [candor@8072.9999.9999 node=\"scan1\" at=\"2025-11-24T16:00:00.123Z\" "
              "event=\"90\" boot=\"0123456789abcdef\" kind=\"scope\" scope=\"worker\" what=\"\" from=\"pass\" "
              "to=\"warn\" lost=\"7\"] worker: pass -> warn");
    e.kind = EVENT_START;
    text_copy(e.cause, sizeof e.cause, "it was killed");
    assert_true(syslog_message(&e, "scan1", &udp, 411, 0, text) > 0);
    assert_int_equal(strncmp(text, "<29>1 ", 6), 0);
    assert_non_null(strstr(text, "scope=\"\" what=\"\" from=\"\" to=\"\"] started: it was killed"));
}

static void hostile_words(void **state) {
    (void)state;
    char text[SYSLOG_MESSAGE_MAX], node[64];
    struct conf_syslog udp = {.has_address = true, .facility = 23};
    struct event e = fell;
    memset(e.what, '"', sizeof e.what - 1);
    memset(e.cause, '\\', sizeof e.cause - 1);
    memset(node, ']', sizeof node - 1);
    node[sizeof node - 1] = '\0';
    e.sequence = e.boot = UINT64_MAX;
    size_t n = syslog_message(&e, node, &udp, INT32_MAX, UINT64_MAX, text);
    assert_true(n < SYSLOG_MESSAGE_MAX && n == strlen(text));
    assert_non_null(strstr(text, "lost=\"18446744073709551615\"] ")); /* the data is whole, whatever is cut */

    text_copy(e.what, sizeof e.what, "a\nb\r<0>\x01\x7f\xc3\xa9 ] \"q\" \\");
    text_copy(e.cause, sizeof e.cause, "x\ny");
    (void)syslog_message(&e, "sc an\n1", &udp, 1, 0, text);
    assert_non_null(strstr(text, "what=\"a?b?<0>???? \\] \\\"q\\\" \\\\\""));
    assert_non_null(strstr(text, " sc?an?1 candor-health "));
    for (const char *c = text; *c != '\0'; c++)
        assert_true(*c >= ' ' && *c < 0x7f);

    const int64_t times[] = {INT64_MIN, -1, INT64_MAX, 0};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        e = fell;
        e.wall_ms = times[i];
        e.from = e.to = e.scope = 250;
        e.kind = EVENT_KINDS;
        (void)syslog_message(&e, "", &udp, 1, 0, text);
        assert_true(strstr(text, "<187>1 1970-01-01T00:00:00.000Z - ") == text ||
                    strstr(text, "<187>1 9999-12-31T23:") == text);
    }
}

/* --- a daemon's socket */

static char folder[] = "/tmp/test_syslog.XXXXXX";
static struct sockaddr_un local = {.sun_family = AF_UNIX};
static struct conf conf;
static struct events ledger;

static int daemon_open(void) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    (void)unlink(local.sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = PATIENCE_MS / 1000},
                     sizeof(struct timeval));
    return fd;
}

/* The event number of the next message. */
static int next(int fd) {
    char text[SYSLOG_MESSAGE_MAX + 1];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    const char *at = strstr(text, " event=\"");
    assert_non_null(at);
    return atoi(at + 8);
}

static void happen(struct sink *s, int count, uint8_t kind) {
    for (int i = 0; i < count; i++) {
        struct event e = fell;
        e.kind = kind;
        e.sequence = ledger.sequence + 1;
        assert_true(events_add(&ledger, &e));
    }
    struct report r = {.sequence = 1};
    sink_offer(s, &r, ledger.list, NULL);
}

static struct sink *start(void) {
    struct sink *s;
    struct err err;
    assert_int_equal(syslog_open(&s, &conf, folder, 5, &err), 0);
    return s;
}

static int setup(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(local.sun_path, sizeof local.sun_path, "%s/log", folder);
    conf.node.name = "scan1";
    conf.health.syslog = (struct conf_syslog){.enabled = true, .socket = local.sun_path, .facility = 3};
    return events_open(&ledger);
}

static int teardown(void **state) {
    (void)state;
    char path[128];
    (void)unlink(local.sun_path);
    (void)snprintf(path, sizeof path, "%s/sink-syslog.mark", folder);
    (void)unlink(path);
    (void)rmdir(folder);
    events_close(&ledger);
    return 0;
}

static void away_and_back(void **state) {
    (void)state;
    struct sink *s = start();
    happen(s, 2, EVENT_CHECK); /* of before it was configured: nobody is told */
    UNTIL(sink_news(s)->trouble[0] != '\0');
    happen(s, 3, EVENT_CHECK);
    UNTIL(sink_news(s)->events_waiting == 3 && sink_news(s)->results[SINK_FAILED] > 0);
    int fd = daemon_open();
    for (int i = 3; i <= 5; i++)
        assert_int_equal(next(fd), i);
    UNTIL(sink_news(s)->event_sequence == 5);
    (void)close(
        fd); /* it is restarted, and meanwhile something happens that it is told, and something that it is not */
    happen(s, 1, EVENT_DOUBT);
    happen(s, 1, EVENT_START);
    UNTIL(sink_news(s)->trouble[0] != '\0');
    sink_close(s);
    s = start(); /* so are we */
    happen(s, 1, EVENT_SCOPE);
    fd = daemon_open();
    assert_int_equal(next(fd), 7);
    assert_int_equal(next(fd), 8);
    UNTIL(sink_news(s)->event_sequence == 8 && sink_news(s)->trouble[0] == '\0');
    sink_close(s);
    (void)close(fd);
}

/* One that is stopped: its queue fills, nothing blocks, and each message comes once when it goes on. */
static void full(void **state) {
    (void)state;
    int fd = daemon_open();
    struct sink *s = start();
    happen(s, 1, EVENT_CHECK);
    assert_int_equal(next(fd), 9);
    happen(s, 1500, EVENT_CHECK);
    UNTIL(strstr(sink_news(s)->trouble, "not taken") != NULL);
    assert_true(sink_news(s)->events_waiting > 0);
    for (int i = 10; i < 1510; i++)
        assert_int_equal(next(fd), i);
    UNTIL(sink_news(s)->event_sequence == 1509);
    char text[8];
    assert_true(recv(fd, text, sizeof text, MSG_DONTWAIT) < 0);
    sink_close(s);
    (void)close(fd);
}

static void refused(void **state) {
    (void)state;
    struct sink *s;
    struct err err = {.text = ""};
    char path[200];
    struct conf c = conf;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    c.health.syslog.socket = path;
    assert_int_equal(syslog_open(&s, &c, folder, 5, &err), E_RANGE);
    assert_non_null(strstr(err.text, "too long"));
}

/* Over UDP: an ICMP error brings all of the notice again. */
static void by_address(void **state) {
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    (void)close(fd); /* nobody there, at a port that was free */
    conf.health.syslog.has_address = true;
    conf.health.syslog.address.in = in;
    struct sink *s;
    struct err err;
    assert_int_equal(syslog_open(&s, &conf, "", 5, &err), 0);
    happen(s, 1, EVENT_CHECK);
    UNTIL(sink_news(s)->delivered_mono_ms != 0);
    happen(s, 2, EVENT_SCOPE);
    UNTIL(strstr(sink_news(s)->trouble, "refused") != NULL);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = PATIENCE_MS / 1000},
                     sizeof(struct timeval));
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    int first = next(fd), second = next(fd);
    if (second == first) /* the first came after an error of the try before */
        second = next(fd);
    assert_int_equal(second, first + 1);
    UNTIL(sink_news(s)->event_sequence == (uint64_t)second);
    sink_close(s);
    (void)close(fd);
    conf.health.syslog.has_address = false;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms), cmocka_unit_test(hostile_words), cmocka_unit_test(away_and_back),
        cmocka_unit_test(full),  cmocka_unit_test(refused),       cmocka_unit_test(by_address),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
