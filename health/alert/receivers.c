/* Alertmanager, webhooks, and the command. */
#include "health/alert/receivers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/alert/json.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"
#include "resolver/base/runner.h"

struct receiver_post {
    struct pinned place;
    char page[RECEIVER_PAGE];
};

/* `knock`: there is nothing to say. */
static int post(const struct pinned *place, const char *body, bool knock, struct courier_news *news) {
    char words[CURL_ERROR_SIZE];
    CURL *c = body != NULL ? pinned_easy(place, words) : NULL;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    int rc = E_NOMEM;
    if (c != NULL && headers != NULL) {
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        rc = knock ? pinned_knock(c, words, news->trouble) : pinned_perform(c, words, news->trouble);
        int64_t until_s = pinned_not_after_s(c);
        news->not_after_wall_s = until_s > 0 ? until_s : news->not_after_wall_s;
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    return rc;
}

static int post_manager(void *ctx, const struct errand *e, struct courier_news *news) {
    const struct receiver_post *r = ctx;
    char *body = json_manager(e->list, r->page, clock_wall_ms());
    int rc = post(&r->place, body, false, news); /* an empty list is a knock, too */
    free(body);
    return rc;
}

static int post_webhook(void *ctx, const struct errand *e, struct courier_news *news) {
    const struct receiver_post *r = ctx;
    char *body = json_webhook(e, r->page);
    int rc = post(&r->place, body, e->count == 0, news);
    free(body);
    return rc;
}

static void post_end(void *ctx) {
    struct receiver_post *r = ctx;
    pinned_close(&r->place);
    free(r);
}

static int post_open(struct courier **out, const struct receiver_plan *plan, const struct conf_sink *to,
                     const char *kind, courier_deliver deliver, uint32_t every_ms, struct err *err) {
    struct receiver_post *r = calloc(1, sizeof *r);
    char name[ADDR_TEXT_MAX + 32];
    *out = NULL;
    if (r == NULL)
        return err_set(err, E_NOMEM, "no memory for alerts");
    text_copy(r->page, sizeof r->page, plan->page);
    int rc = pinned_open(&r->place, "https", &to->address, to->tls_name, to->ca, to->path, err);
    if (rc < 0) {
        post_end(r);
        return rc;
    }
    (void)snprintf(name, sizeof name, "%s %s", kind, r->place.address);
    return courier_open(out, &(struct courier_plan){.every_ms = every_ms, .folder = plan->folder, .name = name},
                        deliver, post_end, r, err);
}

int manager_open(struct courier **out, const struct receiver_plan *plan, const struct conf_sink *to, struct err *err) {
    return post_open(out, plan, to, "alertmanager", post_manager, RECEIVER_EVERY_MS, err);
}

int webhook_open(struct courier **out, const struct receiver_plan *plan, const struct conf_sink *to, struct err *err) {
    return post_open(out, plan, to, "webhook", post_webhook, RECEIVER_KNOCK_MS, err);
}

struct receiver_command {
    char command[LIMIT_CONF_TEXT + 1], page[RECEIVER_PAGE];
};

static int run_command(void *ctx, const struct errand *e, struct courier_news *news) {
    const struct receiver_command *r = ctx;
    char said[RUNNER_SAID];
    struct err err = {.text = ""};
    if (e->count == 0) {
        if (access(r->command, X_OK) == 0)
            return 0;
        (void)snprintf(news->trouble, sizeof news->trouble, "%.100s: %.40s", r->command, strerror(errno));
        return E_NOTFOUND;
    }
    char *body = json_webhook(e, r->page);
    if (body == NULL)
        return E_NOMEM;
    const struct runner run = {.command = r->command,
                               .word = {json_is_firing(e) ? "firing" : "resolved"},
                               .input = body,
                               .input_size = strlen(body),
                               .timeout_ms = RECEIVER_COMMAND_MS};
    int rc = runner_run(&run, said, &err);
    if (rc < 0)
        text_copy(news->trouble, sizeof news->trouble, err.text);
    free(body);
    return rc;
}

int command_open(struct courier **out, const struct receiver_plan *plan, const char *command, struct err *err) {
    struct receiver_command *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r == NULL)
        return err_set(err, E_NOMEM, "no memory for alerts");
    text_copy(r->command, sizeof r->command, command);
    text_copy(r->page, sizeof r->page, plan->page);
    return courier_open(
        out, &(struct courier_plan){.every_ms = RECEIVER_KNOCK_MS, .folder = plan->folder, .name = "alert exec"},
        run_command, free, r, err);
}
