#include "health/report/pinned.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "resolver/base/bytes.h"

int pinned_open(struct pinned *p, const char *scheme, const struct addr *at, const char *tls_name, const char *ca,
                const char *path, struct err *err) {
    char host[ADDR_TEXT_MAX];
    bool v6 = addr_family(at) == AF_INET6;
    *p = (struct pinned){.tls = tls_name[0] != '\0'};
    if (strlen(tls_name) >= PINNED_NAME || strlen(path) >= PINNED_PATH || strlen(ca) >= sizeof p->ca)
        return err_set(err, E_RANGE, "a name or a path is too long");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return err_set(err, E_NOMEM, "no memory for libcurl");
    addr_host_text(at, host);
    addr_text(at, p->address);
    text_copy(p->ca, sizeof p->ca, ca);
    text_copy(p->scheme, sizeof p->scheme, !p->tls && strcmp(scheme, "https") == 0 ? "http" : scheme);
    const char *open = !p->tls && v6 ? "[" : "", *close = !p->tls && v6 ? "]" : "";
    (void)snprintf(p->url, sizeof p->url, "%s://%s%.255s%s:%u%.400s", p->scheme, open, p->tls ? tls_name : host, close,
                   addr_port(at), path);
    if (!p->tls)
        return 0;
    (void)snprintf(p->where, sizeof p->where, v6 ? "%.255s:%u:[%s]" : "%.255s:%u:%s", tls_name, addr_port(at), host);
    p->resolve = curl_slist_append(NULL, p->where);
    return p->resolve != NULL ? 0 : err_set(err, E_NOMEM, "no memory for libcurl");
}

void pinned_close(struct pinned *p) {
    curl_slist_free_all(p->resolve);
    p->resolve = NULL;
}

static size_t throw_away(char *data, size_t one, size_t count, void *ctx) {
    (void)data;
    (void)ctx;
    return one * count;
}

CURL *pinned_easy(const struct pinned *p, char words[CURL_ERROR_SIZE]) {
    CURL *c = curl_easy_init();
    words[0] = '\0';
    if (c == NULL)
        return NULL;
    curl_easy_setopt(c, CURLOPT_URL, p->url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, p->scheme);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)PINNED_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)PINNED_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "candor/" CANDOR_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, throw_away);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, words);
    if (!p->tls)
        return c;
    curl_easy_setopt(c, CURLOPT_RESOLVE, p->resolve);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (p->ca[0] != '\0')
        curl_easy_setopt(c, CURLOPT_CAINFO, p->ca);
    curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
    return c;
}

static CURLcode perform(CURL *c, const char *words, char trouble[PINNED_TROUBLE]) {
    CURLcode code = curl_easy_perform(c);
    trouble[0] = '\0';
    if (code != CURLE_OK)
        text_copy(trouble, PINNED_TROUBLE, words[0] != '\0' ? words : curl_easy_strerror(code));
    return code;
}

int pinned_perform(CURL *c, const char *words, char trouble[PINNED_TROUBLE]) {
    long status = 0;
    if (perform(c, words, trouble) != CURLE_OK)
        return E_CLOSED;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status <= 299)
        return 0;
    (void)snprintf(trouble, PINNED_TROUBLE, "HTTP %ld", status);
    return E_CLOSED;
}

int pinned_knock(CURL *c, const char *words, char trouble[PINNED_TROUBLE]) {
    curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
    return perform(c, words, trouble) == CURLE_OK ? 0 : E_CLOSED;
}

/* "Expire date:Nov 23 02:15:44 2027 GMT" of the first certificate, the server's own. */
int64_t pinned_not_after_s(CURL *c) {
    static const char label[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    time_t until = 0;
    if (curl_easy_getinfo(c, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL || info->num_of_certs < 1)
        return 0;
    for (const struct curl_slist *l = info->certinfo[0]; l != NULL; l = l->next)
        if (strncmp(l->data, label, sizeof label - 1) == 0)
            until = curl_getdate(l->data + sizeof label - 1, NULL);
    return until > 0 ? until : 0;
}
