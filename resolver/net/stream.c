#include "resolver/net/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver/net/loop.h"
#include "resolver/net/tls_impl.h"

enum {
    ALERT_FIRST = SSL_AD_REASON_OFFSET, /* reasons from here on are alerts that the other side sent */
    ALERT_LAST = ALERT_FIRST + 255,
};

/* --- what went wrong */

static int set_errno(struct err *err, int number) {
    if (number == ETIMEDOUT)
        return err_set(err, E_TIMEOUT, "the path is dead: nothing came back in time");
    if (number == 0)
        return err_set(err, E_CLOSED, "the other side ended the connection");
    errno = number;
    (void)err_errno(err, "connection");
    if (err != NULL)
        err->code = E_SYSTEM; /* who may not connect has no permission problem of ours */
    return E_SYSTEM;
}

static bool about_certificates(int alert) {
    return (alert >= SSL_AD_NO_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) || alert == SSL_AD_UNKNOWN_CA ||
           alert == SSL_AD_ACCESS_DENIED || alert == TLS13_AD_CERTIFICATE_REQUIRED;
}

static int protocol_error(SSL *ssl, struct err *err) {
    unsigned long number = ERR_peek_last_error();
    int reason = ERR_GET_REASON(number);
    const char *words = ERR_reason_error_string(number);
    long verify = SSL_get_verify_result(ssl);
    ERR_clear_error();
    if (words == NULL)
        words = "broken";
    if (reason >= ALERT_FIRST && reason <= ALERT_LAST && about_certificates(reason - ALERT_FIRST))
        return err_set(err, E_DENIED, "TLS: the other side refused our certificate: %s", words);
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return err_set(err, E_DENIED, "TLS: the other side showed no certificate");
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || (verify != X509_V_OK && !SSL_is_init_finished(ssl))) {
        const char *wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        bool name = !SSL_is_server(ssl) && verify == X509_V_ERR_HOSTNAME_MISMATCH && wanted != NULL;
        return err_set(err, E_DENIED, "TLS: the other side's certificate: %s%s%s",
                       X509_verify_cert_error_string(verify), name ? ": it does not say " : "", name ? wanted : "");
    }
    return err_set(err, E_INVALID, "TLS: %s", words);
}

int tls_error(SSL *ssl, int rc, int *wants, struct err *err) {
    int number = errno;
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        *wants = LOOP_READ;
        return E_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wants = LOOP_WRITE;
        return E_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return err_set(err, E_CLOSED, "the other side ended the connection%s",
                       SSL_is_init_finished(ssl) ? "" : " during the TLS handshake");
    case SSL_ERROR_SYSCALL:
        return set_errno(err, number);
    default:
        return protocol_error(ssl, err);
    }
}

/* --- TLS */

int stream_tls(struct stream *s, struct tls_context *t, const char *name, struct err *err) {
    s->up = false;
    s->wants = LOOP_READ | LOOP_WRITE;
    return tls_connection(t, s->fd, name, &s->tls, err);
}

/* One step failed: says why; remembers when TLS must not be used any more. */
static int failed(struct stream *s, int rc, struct err *err) {
    int wants = 0;
    int code = tls_error(s->tls, rc, &wants, err);
    s->wants = wants;
    s->broken = code != E_AGAIN && code != E_CLOSED;
    return code;
}

int stream_handshake(struct stream *s, struct err *err) {
    if (s->up)
        return 0;
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(s->tls);
    if (rc != 1)
        return failed(s, rc, err);
    s->up = true;
    s->wants = 0;
    return 0;
}

static int tls_send(struct stream *s, struct buffer *b, struct err *err) {
    while (b->size > 0) {
        ERR_clear_error();
        errno = 0;
        int rc = SSL_write(s->tls, buffer_at(b), b->size < INT_MAX ? (int)b->size : INT_MAX);
        if (rc <= 0) {
            rc = failed(s, rc, err);
            s->wants &= LOOP_READ; /* the owner waits to write anyway while there is something */
            return rc == E_AGAIN ? 0 : rc;
        }
        buffer_take(b, (size_t)rc);
    }
    return 0;
}

static int tls_receive(struct stream *s, struct buffer *b, size_t most, struct err *err) {
    size_t got = 0;
    while (got < most) {
        uint8_t *to = buffer_room(b, most - got);
        if (to == NULL)
            return err_set(err, E_NOMEM, "no memory for a message");
        ERR_clear_error();
        errno = 0;
        int rc = SSL_read(s->tls, to, most - got < INT_MAX ? (int)(most - got) : INT_MAX);
        if (rc <= 0) {
            rc = failed(s, rc, err);
            s->wants &= LOOP_WRITE;
            return got > 0 && (rc == E_AGAIN || rc == E_CLOSED) ? 0 : rc; /* the end is met again */
        }
        buffer_added(b, (size_t)rc);
        got += (size_t)rc;
    }
    return 0;
}

/* --- both */

int stream_send(struct stream *s, struct buffer *b, struct err *err) {
    if (!s->up || b->size == 0)
        return 0;
    if (s->tls != NULL)
        return tls_send(s, b, err);
    return buffer_send(b, s->fd) == 0 ? 0 : set_errno(err, errno);
}

int stream_receive(struct stream *s, struct buffer *b, size_t most, struct err *err) {
    if (s->tls != NULL)
        return tls_receive(s, b, most, err);
    int rc = buffer_receive(b, s->fd, most);
    if (rc == E_SYSTEM)
        return set_errno(err, errno);
    if (rc == E_CLOSED)
        return set_errno(err, 0);
    return rc == E_NOMEM ? err_set(err, rc, "no memory for a message") : rc;
}

bool stream_pending(const struct stream *s) {
    return s->tls != NULL && s->up &&
           (SSL_pending(s->tls) > 0 || (SSL_get_shutdown(s->tls) & SSL_RECEIVED_SHUTDOWN) != 0);
}

bool stream_peer_is(const struct stream *s, const char *name) {
    X509 *shown = s->tls != NULL && s->up ? SSL_get0_peer_certificate(s->tls) : NULL;
    return shown != NULL && SSL_get_verify_result(s->tls) == X509_V_OK && tls_says(shown, name);
}

void stream_close(struct stream *s) {
    if (s->tls != NULL) {
        ERR_clear_error();
        if (s->up && !s->broken)
            (void)SSL_shutdown(s->tls);
        SSL_free(s->tls);
        ERR_clear_error();
    }
    if (s->fd >= 0)
        (void)close(s->fd);
    *s = (struct stream){.fd = -1};
}
