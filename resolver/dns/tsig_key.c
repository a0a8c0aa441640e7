/* Keys of the configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include "resolver/base/log.h"
#include "resolver/base/text.h"
#include "resolver/dns/tsig_impl.h"

enum { SECRET_SHORT = 16 };

static const struct {
    const char *name, *digest;
    uint8_t size;
} algorithms[] = {{"hmac-sha1", "SHA1", 20},
                  {"hmac-sha224", "SHA224", 28},
                  {"hmac-sha256", "SHA256", 32},
                  {"hmac-sha384", "SHA384", 48},
                  {"hmac-sha512", "SHA512", 64}};

static int file_check(int fd, const char *path, struct err *err) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(err, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, E_INVALID, "%s: not a file", path);
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
        return err_set(err, E_DENIED, "%s: everybody may read or write it (mode %04o): chmod o-rw", path,
                       (unsigned)st.st_mode & 07777);
    return 0;
}

/* The file's text, blanks around it cut off, closed with a NUL. */
static int file_read(char to[TSIG_FILE_MAX + 1], const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "%s", path);
    int rc = file_check(fd, path, err);
    ssize_t n = rc == 0 ? read(fd, to, TSIG_FILE_MAX + 1) : 0;
    if (n < 0)
        rc = err_errno(err, "%s", path);
    (void)close(fd);
    if (rc == 0 && n > TSIG_FILE_MAX)
        rc = err_set(err, E_FULL, "%s: more than %d bytes, expected one secret in base64", path, TSIG_FILE_MAX);
    if (rc < 0)
        return rc;
    to[n] = '\0';
    size_t from = strspn(to, " \t\r\n"), size = strlen(to + from);
    while (size > 0 && strchr(" \t\r\n", to[from + size - 1]) != NULL)
        size--;
    memmove(to, to + from, size);
    to[size] = '\0';
    return 0;
}

int tsig_secret_read(uint8_t secret[TSIG_SECRET_MAX], const struct conf_key *conf, struct err *err) {
    char text[TSIG_FILE_MAX + 1] = {0};
    const char *from = conf->secret;
    int rc = 0;
    if (conf->secret_file[0] != '\0') {
        rc = file_read(text, conf->secret_file, err);
        from = text;
    }
    long size = rc < 0 ? rc : text_base64(secret, TSIG_SECRET_MAX, from);
    OPENSSL_cleanse(text, sizeof text);
    if (rc < 0)
        return rc;
    if (size < 1)
        return err_set(err, E_INVALID, "%s%sthe secret is not base64 (RFC 4648), padded with =", conf->secret_file,
                       conf->secret_file[0] != '\0' ? ": " : "");
    return (int)size;
}

static int mac_open(struct tsig_key *key, EVP_MAC *hmac, const char *digest, const uint8_t *secret, size_t size) {
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
                           OSSL_PARAM_construct_end()};
    key->mac = EVP_MAC_CTX_new(hmac);
    return key->mac != NULL && EVP_MAC_init(key->mac, secret, size, params) == 1 ? 0 : E_SYSTEM;
}

static int key_open(struct tsig_key *key, EVP_MAC *hmac, const struct conf_key *conf, struct err *err) {
    size_t i = 0;
    while (i < ARRAY_SIZE(algorithms) && strcmp(algorithms[i].name, conf->algorithm) != 0)
        i++;
    if (i == ARRAY_SIZE(algorithms))
        return err_set(err, E_UNSUPPORTED, "key %s: algorithm %s is not known", conf->name, conf->algorithm);
    int rc = name_from_text(&key->name, conf->name, err);
    if (rc < 0 || (rc = name_from_text(&key->algorithm, conf->algorithm, err)) < 0)
        return rc;
    name_lower(&key->name);
    name_text(&key->name, key->text);
    key->mac_size = algorithms[i].size;
    uint8_t secret[TSIG_SECRET_MAX];
    int size = tsig_secret_read(secret, conf, err);
    if (size > 0)
        rc = mac_open(key, hmac, algorithms[i].digest, secret, (size_t)size);
    OPENSSL_cleanse(secret, sizeof secret);
    if (size < 0) {
        if (err != NULL)
            err_prefix(err, "key %s", conf->name);
        return size;
    }
    if (rc < 0)
        return err_set(err, rc, "key %s: OpenSSL does not give HMAC with %s", conf->name, algorithms[i].digest);
    if (size < SECRET_SHORT)
        LOG(LEVEL_WARN, "a key's secret is short enough to be guessed", KS("key", key->text), KI("bytes", size));
    return 0;
}

int tsig_keys_open(struct tsig_keys **out, const struct conf_key *keys, size_t count, struct err *err) {
    *out = NULL;
    if (count > TSIG_KEYS_MAX)
        return err_set(err, E_FULL, "%zu keys, at most %d", count, TSIG_KEYS_MAX);
    struct tsig_keys *k = calloc(1, sizeof *k);
    if (k == NULL || (k->key = calloc(count + 1, sizeof *k->key)) == NULL) {
        free(k);
        return err_set(err, E_NOMEM, "no memory for %zu keys", count);
    }
    int rc = 0;
    k->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (k->hmac == NULL)
        rc = err_set(err, E_SYSTEM, "OpenSSL does not give HMAC");
    for (size_t i = 0; rc == 0 && i < count; i++) {
        k->key[i].index = i;
        k->count = i + 1;
        rc = key_open(&k->key[i], k->hmac, &keys[i], err);
    }
    if (rc < 0) {
        tsig_keys_close(k);
        return rc;
    }
    *out = k;
    return 0;
}

void tsig_keys_close(struct tsig_keys *k) {
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->count; i++)
        EVP_MAC_CTX_free(k->key[i].mac); /* which wipes the key */
    EVP_MAC_free(k->hmac);
    free(k->key);
    free(k);
}

const struct tsig_key *tsig_keys_find(const struct tsig_keys *k, const struct name *name) {
    for (size_t i = 0; i < k->count; i++)
        if (name_equal(&k->key[i].name, name))
            return &k->key[i];
    return NULL;
}

const char *tsig_key_text(const struct tsig_key *key) { return key->text; }

size_t tsig_key_index(const struct tsig_key *key) { return key->index; }
