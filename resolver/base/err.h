/* Errors: a negative code and, where a person will read it, a text.
 *
 * Every function that can fail returns int: 0 is success, negative is one of the codes below. A function
 * that takes a `struct err *` fills it before it returns the code; NULL is allowed and drops the text. The
 * text names what failed, where (file, line, key, offset, zone) and what was expected. Nothing here allocates. */
#ifndef CANDOR_BASE_ERR_H
#define CANDOR_BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_code {
    E_OK = 0,
    E_NOMEM = -1,        /* no memory */
    E_INVALID = -2,      /* input breaks its format: never an abort */
    E_RANGE = -3,        /* a value outside its allowed range */
    E_NOTFOUND = -4,     /* what was looked for is not there */
    E_EXISTS = -5,       /* what was to be made is there already */
    E_FULL = -6,         /* a named limit was reached (limits.h), or the map or disk is full */
    E_AGAIN = -7,        /* nothing wrong: try again later */
    E_TIMEOUT = -8,      /* the other side said nothing in time */
    E_IO = -9,           /* the disk or file system refused */
    E_CORRUPT = -10,     /* bytes on disk or in shared memory are not what they should be */
    E_DENIED = -11,      /* access list or permission */
    E_UNSUPPORTED = -12, /* well-formed, but not something this version does */
    E_SYSTEM = -13,      /* a system call failed; the text carries errno's words */
    E_CLOSED = -14,      /* the connection, handle or process is gone */
    E_REFUSED = -15,     /* a guard refused the change; the old state stays */
};

enum { ERR_TEXT_MAX = 480 };

struct err {
    int code;
    char text[ERR_TEXT_MAX];
};

/* Sets code and text (either may have been set before: the last one wins) and returns `code`. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set with E_SYSTEM (E_NOMEM for ENOMEM, E_DENIED for EACCES and EPERM, E_IO for EIO and EROFS, E_FULL
 * for ENOSPC, EDQUOT and EMFILE, E_NOTFOUND for ENOENT), the words of errno appended. Returns that code. */
int err_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Times that this process met EMFILE or ENFILE: err_errno() counts them, also where no text is wanted; who handles
 * errno by itself calls err_count(). */
void err_count(int number);
unsigned long err_descriptors_out(void);

/* Puts "fmt: " in front of the text that is there: context added on the way up. Returns the code that is there;
 * E_INVALID when `e` is NULL, so who may have no `e` returns the code it got instead. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Short lower-case word for a code, as used in logs and metrics ("notfound"). Never NULL. */
const char *err_name(int code);

#endif
