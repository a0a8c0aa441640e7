#include "resolver/net/tls_bio.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

static int fd_of(BIO *b) { return (int)(intptr_t)BIO_get_data(b); }

static bool later(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

static int write_some(BIO *b, const char *from, int size) {
    BIO_clear_retry_flags(b);
    ssize_t n = send(fd_of(b), from, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && later())
        BIO_set_retry_write(b);
    return (int)n;
}

static int read_some(BIO *b, char *to, int size) {
    BIO_clear_retry_flags(b);
    ssize_t n = recv(fd_of(b), to, (size_t)size, MSG_DONTWAIT);
    if (n < 0 && later())
        BIO_set_retry_read(b);
    if (n == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long control(BIO *b, int what, long number, void *at) {
    (void)number, (void)at;
    if (what == BIO_CTRL_FLUSH)
        return 1;
    return what == BIO_CTRL_EOF && BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
}

BIO_METHOD *tls_bio_method(void) {
    int kind = BIO_get_new_index();
    BIO_METHOD *m = kind >= 0 ? BIO_meth_new(kind | BIO_TYPE_SOURCE_SINK, "socket without signals") : NULL;
    if (m == NULL)
        return NULL;
    (void)BIO_meth_set_write(m, write_some);
    (void)BIO_meth_set_read(m, read_some);
    (void)BIO_meth_set_ctrl(m, control);
    return m;
}

BIO *tls_bio_new(BIO_METHOD *m, int fd) {
    BIO *b = BIO_new(m);
    if (b == NULL)
        return NULL;
    BIO_set_data(b, (void *)(intptr_t)fd); /* a number, never followed */
    BIO_set_init(b, 1);
    return b;
}
