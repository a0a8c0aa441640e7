/* Servers at pinned addresses, spoken to by libcurl: reports over HTTPS, alerts, mail, dead man's switches.
 *
 * The address is the configuration's; `tls-name` is only what the certificate must say and what a Host header bears:
 * libcurl is told both (CURLOPT_RESOLVE), so that it looks up nothing. It uses no proxy, none of the environment,
 * follows nothing, asks no OCSP or CRL by name, and trusts `ca` alone (without one, the system's file of authorities).
 * Without `tls-name` nothing is encrypted, and the URL has the address in it. For threads that may hang. */
#ifndef CANDOR_REPORT_PINNED_H
#define CANDOR_REPORT_PINNED_H

#include <curl/curl.h>

#include "resolver/base/addr.h"
#include "resolver/base/err.h"

enum {
    PINNED_TIMEOUT_MS = 10000,
    PINNED_CONNECT_MS = 5000,
    PINNED_NAME = 256,
    PINNED_PATH = 401,
    PINNED_TROUBLE = 160 /* octets of the reason why something came to nothing */
};

struct pinned {
    bool tls;
    char scheme[8], url[768], where[ADDR_TEXT_MAX + 512], ca[1024], address[ADDR_TEXT_MAX];
    struct curl_slist *resolve;
};

/* `scheme`: "https" (plain: "http") or "smtp"; `path` begins with a slash. Texts are copied. E_RANGE: too long. */
int pinned_open(struct pinned *p, const char *scheme, const struct addr *at, const char *tls_name, const char *ca,
                const char *path, struct err *err) MUST_USE;
void pinned_close(struct pinned *p);
/* A handle with all of the above set, which throws away what comes; `words` must live as long. NULL without memory. */
CURL *pinned_easy(const struct pinned *p, char words[CURL_ERROR_SIZE]);
/* 0: done, and the answer's code was of the 200s. E_CLOSED with the reason in `trouble`. */
int pinned_perform(CURL *c, const char *words, char trouble[PINNED_TROUBLE]) MUST_USE;
/* Comes as far as a request could be made (for SMTP: past STARTTLS and the login), and makes none: whether it would be
 * heard, and what its certificate is, before there is something to say. */
int pinned_knock(CURL *c, const char *words, char trouble[PINNED_TROUBLE]) MUST_USE;
/* When the certificate of the server that was spoken to ends; 0: it showed none. */
int64_t pinned_not_after_s(CURL *c);

#endif
