#include "health/command/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct body {
    char *at;
    size_t size;
    bool full;
};

static size_t collect(char *data, size_t one, size_t count, void *ctx) {
    struct body *b = ctx;
    size_t size = one * count;
    if (size > FETCH_BODY_MAX - b->size) {
        b->full = true;
        return 0;
    }
    char *more = realloc(b->at, b->size + size + 1);
    if (more == NULL)
        return 0;
    memcpy(more + b->size, data, size);
    b->at = more;
    b->size += size;
    b->at[b->size] = '\0';
    return size;
}

static int code_of(CURLcode code, const struct body *b) {
    if (b->full)
        return E_FULL;
    return code == CURLE_OPERATION_TIMEDOUT ? E_TIMEOUT : code == CURLE_OUT_OF_MEMORY ? E_NOMEM : E_CLOSED;
}

int fetch(const struct addr *server, const char *path, long *status, char **body, struct err *err) {
    return fetch_within(server, path, FETCH_TIMEOUT_MS, status, body, err);
}

int fetch_within(const struct addr *server, const char *path, unsigned timeout_ms, long *status, char **body,
                 struct err *err) {
    char host[ADDR_TEXT_MAX], url[512], where[ADDR_TEXT_MAX];
    struct body b = {0};
    *status = 0;
    *body = NULL;
    addr_host_text(server, host);
    (void)snprintf(url, sizeof url, addr_family(server) == AF_INET6 ? "http://[%s]:%u%s" : "http://%s:%u%s", host,
                   addr_port(server), path);
    if (curl_global_init(CURL_GLOBAL_NOTHING) != 0)
        return err_set(err, E_NOMEM, "curl");
    CURL *c = curl_easy_init();
    if (c == NULL)
        return err_set(err, E_NOMEM, "curl");
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "candor/" CANDOR_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    curl_easy_cleanup(c);
    if (code == CURLE_OK && b.at != NULL) {
        *body = b.at;
        return 0;
    }
    free(b.at);
    if (code == CURLE_OK)
        return err_set(err, E_INVALID, "%s: an answer without a body (HTTP %ld)", addr_text(server, where), *status);
    return err_set(err, code_of(code, &b), "%s: %s", addr_text(server, where), curl_easy_strerror(code));
}
