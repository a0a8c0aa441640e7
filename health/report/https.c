#include "health/report/https.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "health/report/body.h"
#include "health/report/pinned.h"
#include "resolver/base/clock.h"
#include "resolver/base/mac.h"
#include "resolver/dns/tsig.h"

struct https {
    struct pinned place;
    char node[REPORT_NODE], key[256];
    size_t secret_size; /* 0: reports are not signed */
    uint8_t secret[TSIG_SECRET_MAX];
};

struct answer {
    size_t size;
    char text[HTTPS_ANSWER_MAX];
};

/* The beginning of what comes; an acknowledgement is much shorter. */
static size_t take_answer(char *data, size_t one, size_t count, void *ctx) {
    struct answer *a = ctx;
    size_t size = one * count, room = sizeof a->text - a->size, taken = size < room ? size : room;
    memcpy(a->text + a->size, data, taken);
    a->size += taken;
    return size;
}

/* Who says that it is a monitor must have taken in all of it. Of anybody else the code is enough. */
static int read_answer(const struct answer *a, const struct notice *n, struct sink_news *news) {
    json_t *doc = json_loadb(a->text, a->size, 0, NULL);
    const char *monitor = json_string_value(json_object_get(doc, "monitor"));
    int rc = 0;
    if (monitor != NULL) {
        json_int_t events = json_integer_value(json_object_get(doc, "events"));
        const json_t *asked = json_object_get(doc, "askedAgoMs");
        text_copy(news->who, sizeof news->who, monitor);
        if (json_is_integer(asked) && json_integer_value(asked) >= 0)
            news->asked_mono_ms = clock_mono_ms() - (int64_t)json_integer_value(asked);
        if (n->events > 0 && (events < 0 || (uint64_t)events < n->event[n->events - 1]->sequence)) {
            (void)snprintf(news->trouble, sizeof news->trouble, "it took events up to %lld only", (long long)events);
            rc = E_CLOSED;
        }
    }
    json_decref(doc);
    return rc;
}

/* Candor-Key, Candor-Time and Candor-MAC (docs/formats/report.md). False: no memory. */
static bool sign(const struct https *h, const char *body, struct curl_slist **headers) {
    char line[320], moment[24], mac[MAC_TEXT];
    if (h->secret_size == 0)
        return true;
    (void)snprintf(moment, sizeof moment, "%lld", (long long)clock_wall_ms());
    const struct bytes parts[] = {
        {(const uint8_t *)moment, strlen(moment)}, {(const uint8_t *)"\n", 1}, {(const uint8_t *)body, strlen(body)}};
    if (mac_text((struct bytes){h->secret, h->secret_size}, parts, ARRAY_SIZE(parts), mac) < 0)
        return false;
    const char *const names[] = {"Key", "Time", "MAC"}, *const values[] = {h->key, moment, mac};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        (void)snprintf(line, sizeof line, "Candor-%s: %s", names[i], values[i]);
        struct curl_slist *longer = curl_slist_append(*headers, line);
        if (longer == NULL)
            return false;
        *headers = longer;
    }
    return true;
}

static int post(void *ctx, const struct notice *n, struct sink_news *news) {
    const struct https *h = ctx;
    struct answer answer = {.size = 0};
    char words[CURL_ERROR_SIZE];
    CURL *c = pinned_easy(&h->place, words);
    char *body = body_notice(n, h->node);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    int rc = E_NOMEM;
    if (c != NULL && body != NULL && headers != NULL && sign(h, body, &headers)) {
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_answer);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
        rc = pinned_perform(c, words, news->trouble);
        int64_t until_s = pinned_not_after_s(c);
        news->not_after_wall_s = until_s > 0 ? until_s : news->not_after_wall_s;
    }
    curl_slist_free_all(headers);
    free(body);
    curl_easy_cleanup(c);
    return rc == 0 ? read_answer(&answer, n, news) : rc;
}

static void https_end(void *ctx) {
    struct https *h = ctx;
    pinned_close(&h->place);
    OPENSSL_cleanse(h->secret, sizeof h->secret);
    free(h);
}

/* The secret of the key that reports are signed with, if one is named. */
static int take_key(struct https *h, const struct conf *conf, const struct conf_sink *to, struct err *err) {
    if (to->key[0] == '\0')
        return 0;
    text_copy(h->key, sizeof h->key, to->key);
    for (size_t i = 0; i < conf->rbl.key_count; i++)
        if (strcasecmp(conf->rbl.keys[i].name, to->key) == 0) {
            int size = tsig_secret_read(h->secret, &conf->rbl.keys[i], err);
            h->secret_size = size > 0 ? (size_t)size : 0;
            return size < 0 ? size : 0;
        }
    return err_set(err, E_NOTFOUND, "health.report.https: rbl.keys has no key %s", to->key);
}

int https_open(struct sink **out, const struct conf *conf, const struct conf_sink *to, const char *folder,
               uint32_t retry_ms, struct err *err) {
    struct https *h = calloc(1, sizeof *h);
    char name[ADDR_TEXT_MAX + 16], address[ADDR_TEXT_MAX];
    if (h == NULL)
        return err_set(err, E_NOMEM, "no memory for reports over HTTPS");
    text_copy(h->node, sizeof h->node, conf->node.name);
    int rc = pinned_open(&h->place, "https", &to->address, to->tls_name, to->ca, to->path, err);
    if (rc == 0)
        rc = take_key(h, conf, to, err);
    if (rc < 0) {
        https_end(h);
        return rc;
    }
    (void)snprintf(name, sizeof name, "https %s", addr_text(&to->address, address));
    return sink_open(
        out,
        &(struct sink_plan){.keep = HTTPS_KEEP, .retry_ms = retry_ms, .events = true, .folder = folder, .name = name},
        post, https_end, h, err);
}
