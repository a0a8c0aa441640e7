/* Log lines for people and machines: logfmt or JSON, to stderr or syslog (candor.yaml: log).
 *
 *   LOG(LEVEL_INFO, "zone committed", KS("zone", name), KU("serial", serial), KF("ms", ms));
 *   -> ts=2026-11-22T10:00:00.123Z level=info prog=candor-sync pid=71 msg="zone committed" zone=bl.example. serial=7
 * ms=1.25
 *
 * One write(2) a line, no lock, no allocation, at most LOG_LINE_MAX bytes (cut with "..."; JSON stays JSON). Values are
 * escaped, so that bytes from the network cannot forge a line. Query names and client addresses are logged at debug
 * only; keys, secrets and tokens never. A log call never waits and never fails: when nobody reads stderr or syslog the
 * line is dropped, and the next one that gets out says how many were (dropped_lines). Syslog that is not there: stderr.
 * The state is the process's; concurrent callers are safe once log_open has returned. */
#ifndef CANDOR_BASE_LOG_H
#define CANDOR_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

enum { LOG_LINE_MAX = 2048 };

struct log_field {
    const char *key;
    char kind; /* 's' text, 'u' unsigned, 'i' signed, 'f' number */
    const char *text;
    uint64_t number;
    double real;
};

#define KS(k, v) ((struct log_field){.key = (k), .kind = 's', .text = (v)})
#define KU(k, v) ((struct log_field){.key = (k), .kind = 'u', .number = (uint64_t)(v)})
#define KI(k, v) ((struct log_field){.key = (k), .kind = 'i', .number = (uint64_t)(int64_t)(v)})
#define KF(k, v) ((struct log_field){.key = (k), .kind = 'f', .real = (double)(v)})

/* Program name (kept by pointer), level, format and target for this process. Before it: info, logfmt, stderr. */
void log_open(const char *program, enum log_level level, enum log_format format, enum log_target target);
bool log_wants(enum log_level level);
/* Fields are texts and numbers; keys are words of ours and are written as they are. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t count);

/* Where syslog listens, kept by pointer; before it: /dev/log. Tests only. */
void log_set_syslog(const char *path);

#define LOG(level, msg, ...)                                                                                           \
    do {                                                                                                               \
        if (log_wants(level)) {                                                                                        \
            const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};                                     \
            log_write((level), (msg), log_fields_ + 1, sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);              \
        }                                                                                                              \
    } while (0)

#endif
