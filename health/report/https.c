#include "health/report/https.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct https {
    char url[768], where[ADDR_TEXT_MAX + 512], ca[1024];
    struct curl_slist *resolve;
};

char *https_body(const struct report *r) {
    json_t *scopes = json_object();
    for (int s = 0; s < SCOPE_COUNT; s++)
        if (r->scope[s] < VERDICT_STATES)
            (void)json_object_set_new(scopes, verdict_scope_name((enum verdict_scope)s),
                                      json_string(verdict_state_name((enum verdict_state)r->scope[s])));
    char boot[24];
    (void)snprintf(boot, sizeof boot, "%016llx", (unsigned long long)r->boot);
    json_t *doc = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I,s:i,s:s,s:b,s:o,s:s}", "node", r->node, "version", r->version,
                            "boot", boot, "sequence", (json_int_t)r->sequence, "wallMs", (json_int_t)r->wall_ms,
                            "revision", (json_int_t)r->revision, "lagMs", (int)r->lag_ms, "status",
                            verdict_state_name((enum verdict_state)r->overall), "ready", r->ready, "scopes", scopes,
                            "cause", r->cause);
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    return text;
}

/* What the answer says is of no interest: its code is. */
static size_t pass_over(char *data, size_t one, size_t count, void *ctx) {
    (void)data;
    (void)ctx;
    return one * count;
}

/* "Expire date:Nov 23 02:15:44 2027 GMT" of the first certificate, the server's own. */
static void note_certificate(CURL *c, struct sink_news *news) {
    static const char label[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(c, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL || info->num_of_certs < 1)
        return;
    for (const struct curl_slist *l = info->certinfo[0]; l != NULL; l = l->next)
        if (strncmp(l->data, label, sizeof label - 1) == 0) {
            time_t until = curl_getdate(l->data + sizeof label - 1, NULL);
            if (until > 0)
                news->not_after_wall_s = until;
        }
}

static void options(CURL *c, const struct https *h, const char *body, struct curl_slist *headers, char *words) {
    curl_easy_setopt(c, CURLOPT_URL, h->url);
    curl_easy_setopt(c, CURLOPT_RESOLVE, h->resolve);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTPS_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)HTTPS_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (h->ca[0] != '\0')
        curl_easy_setopt(c, CURLOPT_CAINFO, h->ca);
    curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "candor/" CANDOR_VERSION);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, pass_over);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, words);
}

static int post(void *ctx, const struct report *r, struct sink_news *news) {
    const struct https *h = ctx;
    char words[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *c = curl_easy_init();
    char *body = https_body(r);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (c != NULL && body != NULL && headers != NULL) {
        options(c, h, body, headers, words);
        code = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK)
            note_certificate(c, news);
    }
    curl_slist_free_all(headers);
    free(body);
    curl_easy_cleanup(c);
    if (code != CURLE_OK)
        text_copy(news->trouble, sizeof news->trouble, words[0] != '\0' ? words : curl_easy_strerror(code));
    else if (status < 200 || status > 299)
        (void)snprintf(news->trouble, sizeof news->trouble, "HTTP %ld", status);
    return code == CURLE_OK && status >= 200 && status <= 299 ? 0 : E_CLOSED;
}

static void https_end(void *ctx) {
    struct https *h = ctx;
    curl_slist_free_all(h->resolve);
    free(h);
}

int https_open(struct sink **out, const struct conf_sink *to, uint32_t retry_ms, struct err *err) {
    struct https *h = calloc(1, sizeof *h);
    char host[ADDR_TEXT_MAX];
    bool v6 = addr_family(&to->address) == AF_INET6;
    if (h == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        free(h);
        return err_set(err, E_NOMEM, "no memory for reports over HTTPS");
    }
    addr_host_text(&to->address, host);
    (void)snprintf(h->url, sizeof h->url, "https://%.255s:%u%.400s", to->tls_name, addr_port(&to->address), to->path);
    (void)snprintf(h->where, sizeof h->where, v6 ? "%.255s:%u:[%s]" : "%.255s:%u:%s", to->tls_name,
                   addr_port(&to->address), host);
    text_copy(h->ca, sizeof h->ca, to->ca);
    h->resolve = curl_slist_append(NULL, h->where);
    if (h->resolve == NULL) {
        free(h);
        return err_set(err, E_NOMEM, "no memory for reports over HTTPS");
    }
    return sink_open(out, &(struct sink_plan){.keep = 1, .retry_ms = retry_ms}, post, https_end, h, err);
}
