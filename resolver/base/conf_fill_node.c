/* Sections `node` and `log`. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "resolver/base/conf_fill.h"

enum { NODE_NAME_MAX = 63 };

/* Part of NSID, metrics, file names and reports: what needs no quotes in any of them. */
static bool name_fits(const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (i > 0 && (c == '-' || c == '_' || c == '.'))))
            return false;
    }
    return n > 0 && n <= NODE_NAME_MAX;
}

/* The kernel's word for this host; nothing is looked up. */
static const char *host_name(struct utsname *kernel) {
    return uname(kernel) == 0 && name_fits(kernel->nodename) ? kernel->nodename : "node";
}

void conf_fill_node(struct conf_reader *r, const struct conf_raw_node *in, struct conf_node *out) {
    struct utsname kernel;
    conf_enter(r, "node");
    out->name = conf_take_text(r, "name", in->name, "");
    if (out->name[0] == '\0')
        out->name = conf_take_text(r, NULL, host_name(&kernel), "");
    if (!name_fits(out->name))
        conf_fail(r, E_INVALID, "name", "1 to %d letters, digits, - _ and ., the first a letter or digit",
                  NODE_NAME_MAX);
    out->state = conf_take_path(r, "state", in->state, "/var/lib/candor");
    out->run = conf_take_path(r, "run", in->run, "/run/candor");
    if (out->state[0] == '\0')
        conf_fail(r, E_INVALID, "state", "a directory");
    if (out->run[0] == '\0')
        conf_fail(r, E_INVALID, "run", "a directory");
    if (strlen(out->run) > LIMIT_CONF_RUN)
        conf_fail(r, E_RANGE, "run", "a path of at most %d bytes from the root, %zu", LIMIT_CONF_RUN, strlen(out->run));
    out->user = conf_take_text(r, "user", in->user, "");
    if (out->user[0] != '\0' && !name_fits(out->user))
        conf_fail(r, E_INVALID, "user", "the name of a user of this system");
    conf_fill_remote(r, CONF_RAW_OR_EMPTY(in->remote), &out->remote);
    conf_leave(r);
}

void conf_fill_log(struct conf_reader *r, const struct conf_raw_log *in, struct conf_log *out) {
    static const struct conf_word levels[] = {
        {"error", LEVEL_ERROR}, {"warn", LEVEL_WARN}, {"info", LEVEL_INFO}, {"debug", LEVEL_DEBUG}, {NULL, 0}};
    static const struct conf_word formats[] = {{"logfmt", LOG_FORMAT_LOGFMT}, {"json", LOG_FORMAT_JSON}, {NULL, 0}};
    static const struct conf_word targets[] = {{"stderr", LOG_TARGET_STDERR}, {"syslog", LOG_TARGET_SYSLOG}, {NULL, 0}};
    conf_enter(r, "log");
    out->level = (enum log_level)conf_take_word(r, "level", in->level, LEVEL_INFO, levels);
    out->format = (enum log_format)conf_take_word(r, "format", in->format, LOG_FORMAT_LOGFMT, formats);
    out->target = (enum log_target)conf_take_word(r, "target", in->target, LOG_TARGET_STDERR, targets);
    conf_leave(r);
}
