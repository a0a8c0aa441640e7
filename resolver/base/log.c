#include "resolver/base/log.h"

#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "resolver/base/clock.h"
#include "resolver/base/text.h"

/* TAIL bytes are kept for how a line ends, whatever was cut before: the end of a value, a mark, brace and newline. */
enum { TAIL = 24, STAMP_MAX = 40, NUMBER_MAX = 48 };

static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
    enum log_target target;
    const char *socket_path;
    uint64_t dropped; /* lines since the last one that got out */
} state = {.program = "candor", .level = LEVEL_INFO, .socket_path = "/dev/log"};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

struct line {
    char text[LOG_LINE_MAX];
    size_t n;
    bool cut;
};

void log_open(const char *program, enum log_level level, enum log_format format, enum log_target target) {
    state.program = program;
    state.level = level;
    state.format = format;
    state.target = target;
}

void log_set_syslog(const char *path) { state.socket_path = path; }

bool log_wants(enum log_level level) { return level <= state.level; }

/* All or nothing: an escape is never cut in the middle. */
static bool put(struct line *l, const char *text, size_t size) {
    if (l->cut || l->n + size > sizeof(l->text) - TAIL) {
        l->cut = true;
        return false;
    }
    memcpy(l->text + l->n, text, size);
    l->n += size;
    return true;
}

static bool put_text(struct line *l, const char *text) { return put(l, text, strlen(text)); }

/* Room for the tail is kept by put(). */
static void put_tail(struct line *l, const char *text) {
    size_t size = strlen(text);
    if (l->n + size <= sizeof(l->text)) {
        memcpy(l->text + l->n, text, size);
        l->n += size;
    }
}

/* Days since 1970-01-01 as a date of the Gregorian calendar, in 400-year cycles that start on March 1st. gmtime_r is
 * not used: it takes the time zone's lock, which a fork may leave locked for ever. */
static void civil_date(int64_t days, int *year, int *month, int *day) {
    int64_t shifted = days + 719468; /* from 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * from_march + 2) / 5 + 1);
    *month = (int)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static void stamp(char to[STAMP_MAX]) {
    int64_t ms = clock_wall_ms(), days = ms / 86400000, rest = ms % 86400000;
    int year, month, day;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    civil_date(days, &year, &month, &day);
    (void)snprintf(to, STAMP_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day, (int)(rest / 3600000),
                   (int)(rest / 60000 % 60), (int)(rest / 1000 % 60), (int)(rest % 1000));
}

/* Controls, also those of 8 bits (U+0080..U+009F), line and paragraph separators, and the marks that turn the
 * direction of writing: a terminal or viewer might obey them. */
static bool obeyed(const uint8_t *at, size_t size) {
    if (size == 1)
        return at[0] < ' ' || at[0] == 0x7f;
    if (size == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    return size == 3 && at[0] == 0xe2 &&
           ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) || (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9));
}

/* One character inside quotes; bytes that are no UTF-8 become \xNN (in JSON the backslash is doubled, so that the
 * text of the value is the same in both formats). Returns how many bytes it took. */
static size_t put_char(struct line *l, const uint8_t *at, size_t size) {
    char code[8];
    size_t n = text_utf8(at, size);
    bool json = state.format == LOG_FORMAT_JSON;
    if (n == 1 && (*at == '"' || *at == '\\')) {
        (void)put(l, *at == '"' ? "\\\"" : "\\\\", 2);
    } else if (n == 1 && *at == '\n') {
        (void)put(l, "\\n", 2);
    } else if (n == 1 && json && *at < ' ') {
        (void)snprintf(code, sizeof(code), "\\u%04x", *at);
        (void)put_text(l, code);
    } else if (n == 0 || (obeyed(at, n) && !json)) {
        (void)snprintf(code, sizeof(code), json ? "\\\\x%02x" : "\\x%02x", *at);
        (void)put_text(l, code);
        return 1;
    } else if (obeyed(at, n) && n > 1) {
        unsigned point = n == 2 ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
                                : (at[0] & 0xfu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
        (void)snprintf(code, sizeof(code), "\\u%04x", point);
        (void)put_text(l, code);
    } else {
        (void)put(l, (const char *)at, n);
    }
    return n;
}

static void put_quoted(struct line *l, const char *text) {
    const uint8_t *at = (const uint8_t *)text;
    size_t left = strlen(text);
    if (!put(l, "\"", 1))
        return;
    while (left > 0 && !l->cut) {
        size_t n = put_char(l, at, left < 4 ? left : 4);
        if (n == 0)
            n = 1;
        at += n;
        left -= n;
    }
    put_tail(l, l->cut ? "...\"" : "\"");
}

/* logfmt leaves words without quotes. */
static bool bare(const char *text) {
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '"' || *text == '=' || *text == '\\')
            return false;
    return true;
}

static void put_string(struct line *l, const char *text) {
    bool json = state.format == LOG_FORMAT_JSON;
    if (text == NULL)
        (void)put_text(l, json ? "null" : "\"\"");
    else if (!json && bare(text) && strlen(text) < sizeof(l->text) - TAIL - l->n)
        (void)put_text(l, text);
    else
        put_quoted(l, text);
}

static void put_key(struct line *l, const char *key) {
    bool json = state.format == LOG_FORMAT_JSON, first = l->n == 0;
    if (json)
        (void)put_text(l, first ? "{\"" : ",\"");
    else if (!first)
        (void)put(l, " ", 1);
    (void)put_text(l, key);
    (void)put_text(l, json ? "\":" : "=");
}

static void put_value(struct line *l, const struct log_field *f) {
    char number[NUMBER_MAX];
    if (f->kind == 's') {
        put_string(l, f->text);
        return;
    }
    if (f->kind == 'i')
        (void)snprintf(number, sizeof(number), "%lld", (long long)f->number);
    else if (f->kind == 'u')
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)f->number);
    else if (isfinite(f->real))
        (void)snprintf(number, sizeof(number), "%.10g", f->real);
    else
        (void)snprintf(number, sizeof(number), "%s", state.format == LOG_FORMAT_JSON ? "null" : "NaN");
    (void)put_text(l, number);
}

/* A text may be cut; any other field that does not fit is left out whole, and so are all behind it. */
static void put_field(struct line *l, const struct log_field *f) {
    size_t before = l->n, value;
    if (l->cut)
        return;
    put_key(l, f->key);
    value = l->n;
    if (!l->cut)
        put_value(l, f);
    if (!l->cut || (f->kind == 's' && l->n > value + 1))
        return;
    l->n = before;
    put_tail(l, state.format == LOG_FORMAT_JSON ? ",\"cut\":true" : " ...");
}

static void compose(struct line *l, enum log_level level, const char *msg, const struct log_field *fields,
                    size_t count) {
    char at[STAMP_MAX];
    bool json = state.format == LOG_FORMAT_JSON;
    if (state.target == LOG_TARGET_STDERR) {
        stamp(at);
        put_field(l, &KS("ts", at));
    }
    put_field(l, &KS("level", level_names[level]));
    if (state.target == LOG_TARGET_STDERR) {
        put_field(l, &KS("prog", state.program));
        put_field(l, &KI("pid", getpid()));
    }
    put_field(l, &KS("msg", msg));
    for (size_t i = 0; i < count; i++)
        put_field(l, &fields[i]);
    if (__atomic_load_n(&state.dropped, __ATOMIC_RELAXED) > 0)
        put_field(l, &KU("dropped_lines", __atomic_load_n(&state.dropped, __ATOMIC_RELAXED)));
    put_tail(l, json ? "}\n" : "\n");
}

/* A reader of stderr that has stopped reading must not stop the node: the line is dropped and counted. A pipe that
 * is writable takes PIPE_BUF bytes at once, more than a line has. */
static bool send_stderr(const struct line *l) {
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&p, 1, 0) != 1 || (p.revents & (POLLERR | POLLNVAL)) != 0)
        return false;
    return write(STDERR_FILENO, l->text, l->n) == (ssize_t)l->n;
}

/* Not syslog(3): that one waits when the daemon's queue is full. A socket for each line: nothing to share between
 * threads, nothing to renew when the daemon is restarted. The daemon adds the time itself. */
static bool send_syslog(const struct line *l, enum log_level level) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char head[64];
    int n = snprintf(head, sizeof(head), "<%d>%.32s[%d]: ", LOG_DAEMON | level_priorities[level], state.program,
                     (int)getpid());
    struct iovec parts[] = {{.iov_base = head, .iov_len = n > 0 ? (size_t)n : 0},
                            {.iov_base = (void *)(uintptr_t)l->text, .iov_len = l->n - 1}};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool sent;
    if (fd < 0)
        return false;
    text_copy(to.sun_path, sizeof(to.sun_path), state.socket_path);
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    (void)close(fd);
    return sent;
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t count) {
    struct line l;
    bool sent = false;
    l.n = 0;
    l.cut = false;
    compose(&l, level, msg, fields, count);
    if (state.target == LOG_TARGET_SYSLOG)
        sent = send_syslog(&l, level);
    if (!sent)
        sent = send_stderr(&l);
    if (!sent)
        (void)__atomic_add_fetch(&state.dropped, 1, __ATOMIC_RELAXED);
    else
        __atomic_store_n(&state.dropped, 0, __ATOMIC_RELAXED);
}
