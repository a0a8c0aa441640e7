#include "health/monitor/certificate.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "resolver/base/aside.h"
#include "resolver/base/bytes.h"

enum { CLOSE_MS = 500 };

/* One reading of both files. Immutable. */
struct shown {
    gnutls_pcert_st chain[CERTIFICATE_CHAIN];
    unsigned count;
    gnutls_privkey_t key;
    int64_t until_s;
};

/* By what a change of a file is known. */
struct mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct certificate {
    struct aside *aside;
    char chain_path[1100], key_path[1100];
    uint32_t look_ms;
    struct mark chain_mark, key_mark;      /* of what was tried last; the thread's own */
    pthread_mutex_t lock;                  /* of the rest */
    struct shown *shown[CERTIFICATE_KEPT]; /* the newest first */
    char trouble[CERTIFICATE_TROUBLE];
};

static struct certificate *current; /* atomic: there is no other way into the callback */

static void shown_free(struct shown *s) {
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->count; i++)
        gnutls_pcert_deinit(&s->chain[i]);
    if (s->key != NULL)
        gnutls_privkey_deinit(s->key);
    free(s);
}

/* --- reading */

static struct mark mark_of(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct mark){.size = -1};
    return (struct mark){.device = st.st_dev, .inode = st.st_ino, .size = st.st_size, .changed = st.st_mtim};
}

static bool mark_same(const struct mark *a, const struct mark *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static int read_pem(const char *path, gnutls_datum_t *to, struct err *err) {
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return err_errno(err, "%s", path);
    *to = (gnutls_datum_t){.data = malloc(CERTIFICATE_PEM + 1)};
    size_t n = to->data != NULL ? fread(to->data, 1, CERTIFICATE_PEM + 1, f) : 0;
    (void)fclose(f);
    if (to->data == NULL)
        return err_set(err, E_NOMEM, "%s: no memory for it", path);
    if (n == 0 || n > CERTIFICATE_PEM)
        return err_set(err, E_INVALID, "%s: %s", path, n == 0 ? "it is empty" : "it is too long");
    to->size = (unsigned)n;
    return 0;
}

static void wipe(gnutls_datum_t *d) {
    if (d->data != NULL)
        OPENSSL_cleanse(d->data, d->size);
    free(d->data);
}

/* GnuTLS compares both when a credential is made of them. */
static int belong_together(const gnutls_datum_t *chain, const gnutls_datum_t *key) {
    gnutls_certificate_credentials_t tried;
    int rc = gnutls_certificate_allocate_credentials(&tried);
    if (rc < 0)
        return rc;
    rc = gnutls_certificate_set_x509_key_mem2(tried, chain, key, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_certificate_free_credentials(tried);
    return rc < 0 ? rc : 0;
}

static int read_chain(struct shown *s, const gnutls_datum_t *pem) {
    gnutls_x509_crt_t crt[CERTIFICATE_CHAIN];
    unsigned count = CERTIFICATE_CHAIN;
    int rc =
        gnutls_x509_crt_list_import(crt, &count, pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (rc < 0)
        return rc;
    s->until_s = count > 0 ? (int64_t)gnutls_x509_crt_get_expiration_time(crt[0]) : 0;
    for (unsigned i = 0; i < count; i++) {
        rc = rc < 0 ? rc : gnutls_pcert_import_x509(&s->chain[i], crt[i], 0);
        s->count += rc >= 0;
        gnutls_x509_crt_deinit(crt[i]);
    }
    return rc;
}

static int shown_read(struct shown **out, const struct certificate *c, struct err *err) {
    gnutls_datum_t chain = {.data = NULL}, key = {.data = NULL};
    struct shown *s = *out = calloc(1, sizeof *s);
    int tls = 0;
    if (s == NULL)
        return err_set(err, E_NOMEM, "no memory for a certificate");
    int rc = read_pem(c->chain_path, &chain, err);
    if (rc == 0)
        rc = read_pem(c->key_path, &key, err);
    if (rc == 0 && ((tls = belong_together(&chain, &key)) < 0 || (tls = read_chain(s, &chain)) < 0 ||
                    (tls = gnutls_privkey_init(&s->key)) < 0 ||
                    (tls = gnutls_privkey_import_x509_raw(s->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0))
        rc = err_set(err, E_INVALID, "%.80s and %.80s: %s", c->chain_path, c->key_path, gnutls_strerror(tls));
    wipe(&chain);
    wipe(&key);
    if (rc == 0)
        return 0;
    shown_free(s);
    *out = NULL;
    return rc;
}

/* What both files say now, in front of what was shown before. */
static int take(struct certificate *c, struct err *err) {
    struct shown *s, *oldest = NULL;
    c->chain_mark = mark_of(c->chain_path);
    c->key_mark = mark_of(c->key_path);
    int rc = shown_read(&s, c, err);
    (void)pthread_mutex_lock(&c->lock);
    text_copy(c->trouble, sizeof c->trouble, rc < 0 ? err->text : "");
    if (rc == 0) {
        oldest = c->shown[CERTIFICATE_KEPT - 1];
        for (size_t i = CERTIFICATE_KEPT - 1; i > 0; i--)
            c->shown[i] = c->shown[i - 1];
        c->shown[0] = s;
    }
    (void)pthread_mutex_unlock(&c->lock);
    shown_free(oldest);
    return rc;
}

static void work(struct aside *a, void *ctx) {
    struct certificate *c = ctx;
    while (!aside_is_closing(a)) {
        aside_nap(a, c->look_ms);
        struct mark chain = mark_of(c->chain_path), key = mark_of(c->key_path);
        struct err err = {.text = ""};
        if (!aside_is_closing(a) && (!mark_same(&chain, &c->chain_mark) || !mark_same(&key, &c->key_mark)))
            (void)take(c, &err);
    }
}

/* --- showing */

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
                    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
                    unsigned *count, gnutls_privkey_t *key) {
    struct certificate *c = __atomic_load_n(&current, __ATOMIC_ACQUIRE);
    (void)session;
    (void)names;
    (void)name_count;
    (void)algorithms;
    (void)algorithm_count;
    if (c == NULL)
        return -1;
    (void)pthread_mutex_lock(&c->lock);
    struct shown *s = c->shown[0];
    (void)pthread_mutex_unlock(&c->lock);
    *chain = s->chain;
    *count = s->count;
    *key = s->key;
    return 0;
}

void *certificate_retrieve(void) {
    gnutls_certificate_retrieve_function2 *f = retrieve;
    void *p;
    memcpy(&p, &f, sizeof p); /* C knows no other way from the one to the other */
    return p;
}

int64_t certificate_until_s(struct certificate *c, char trouble[CERTIFICATE_TROUBLE]) {
    (void)pthread_mutex_lock(&c->lock);
    int64_t until_s = c->shown[0]->until_s;
    text_copy(trouble, CERTIFICATE_TROUBLE, c->trouble);
    (void)pthread_mutex_unlock(&c->lock);
    return until_s;
}

static void certificate_free(void *ctx) {
    struct certificate *c = ctx;
    for (size_t i = 0; i < CERTIFICATE_KEPT; i++)
        shown_free(c->shown[i]);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

int certificate_open(struct certificate **out, const char *chain, const char *key, uint32_t look_ms, struct err *err) {
    struct certificate *c = *out = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, E_NOMEM, "no memory for a certificate");
    (void)pthread_mutex_init(&c->lock, NULL);
    text_copy(c->chain_path, sizeof c->chain_path, chain);
    text_copy(c->key_path, sizeof c->key_path, key);
    c->look_ms = look_ms;
    *out = NULL;
    int rc = take(c, err);
    if (rc < 0) {
        certificate_free(c);
        return rc;
    }
    rc = aside_open(&c->aside, work, certificate_free, c, err);
    if (rc < 0)
        return rc;
    __atomic_store_n(&current, c, __ATOMIC_RELEASE);
    *out = c;
    return 0;
}

void certificate_close(struct certificate *c) {
    if (c == NULL)
        return;
    __atomic_store_n(&current, NULL, __ATOMIC_RELEASE);
    aside_close(c->aside, CLOSE_MS); /* frees it when the thread has let go, too */
}
