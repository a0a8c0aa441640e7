#include "resolver/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    "ok",      "nomem", "invalid", "range",  "notfound",    "exists", "full",   "again",
    "timeout", "io",    "corrupt", "denied", "unsupported", "system", "closed", "refused",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == -E_REFUSED + 1, "one name per code");

const char *err_name(int code) {
    if (code > 0 || code < E_REFUSED)
        return "unknown";
    return names[-code];
}

int err_set(struct err *e, int code, const char *fmt, ...) {
    char text[ERR_TEXT_MAX]; /* apart from e->text: an argument may point into it */
    va_list args;
    if (e == NULL)
        return code;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    e->code = code;
    memcpy(e->text, text, sizeof(text));
    return code;
}

static int code_of_errno(int number) {
    switch (number) {
    case ENOMEM:
        return E_NOMEM;
    case EACCES:
    case EPERM:
        return E_DENIED;
    case EIO:
    case EROFS:
        return E_IO;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
        return E_FULL;
    case ENOENT:
        return E_NOTFOUND;
    default:
        return E_SYSTEM;
    }
}

static unsigned long descriptors_out;

void err_count(int number) {
    if (number == EMFILE || number == ENFILE)
        (void)__atomic_fetch_add(&descriptors_out, 1, __ATOMIC_RELAXED);
}

unsigned long err_descriptors_out(void) { return __atomic_load_n(&descriptors_out, __ATOMIC_RELAXED); }

int err_errno(struct err *e, const char *fmt, ...) {
    int number = errno;
    int code = code_of_errno(number);
    char what[ERR_TEXT_MAX], words[128];
    va_list args;
    err_count(number);
    if (e == NULL)
        return code;
    va_start(args, fmt);
    if (vsnprintf(what, sizeof(what), fmt, args) < 0)
        what[0] = '\0';
    va_end(args);
    /* The GNU form: thread-safe, and returns text also for numbers it does not know. */
    (void)err_set(e, code, "%s: %s", what, strerror_r(number, words, sizeof(words)));
    errno = number;
    return code;
}

int err_prefix(struct err *e, const char *fmt, ...) {
    char what[ERR_TEXT_MAX];
    va_list args;
    if (e == NULL)
        return E_INVALID;
    va_start(args, fmt);
    if (vsnprintf(what, sizeof(what), fmt, args) < 0)
        what[0] = '\0';
    va_end(args);
    return err_set(e, e->code, "%s: %s", what, e->text);
}
