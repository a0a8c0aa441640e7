/* Mail by a relay at a pinned address: STARTTLS under tls-name, or nothing encrypted. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "health/alert/message.h"
#include "health/alert/receivers.h"
#include "resolver/base/bytes.h"
#include "resolver/base/clock.h"

enum { PASSWORD_MAX = 512 };

struct receiver_mail {
    struct pinned place;
    struct conf_smtp to; /* with texts of its own: a thread that hangs may outlive the configuration */
    char page[RECEIVER_PAGE], domain[ALERT_NAME];
};

struct letter {
    const char *at;
    size_t left;
};

static size_t give(char *to, size_t one, size_t count, void *ctx) {
    struct letter *l = ctx;
    size_t room = one * count, n = l->left < room ? l->left : room;
    memcpy(to, l->at, n);
    l->at += n;
    l->left -= n;
    return n;
}

/* The first line of its file, read anew each time: passwords change. */
static bool read_password(const char *path, char to[PASSWORD_MAX]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, to, PASSWORD_MAX - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    to[n > 0 ? n : 0] = '\0';
    to[strcspn(to, "\r\n")] = '\0';
    return n >= 0;
}

static int log_in(CURL *c, const struct conf_smtp *to, struct courier_news *news) {
    char password[PASSWORD_MAX] = "";
    if (to->user[0] == '\0')
        return 0;
    bool well = to->password_file[0] == '\0' || read_password(to->password_file, password);
    if (well) {
        curl_easy_setopt(c, CURLOPT_USERNAME, to->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, password);
    } else {
        text_copy(news->trouble, sizeof news->trouble, "password-file cannot be read");
    }
    OPENSSL_cleanse(password, sizeof password);
    return well ? 0 : E_NOTFOUND;
}

static struct curl_slist *recipients(const struct conf_smtp *to) {
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < to->to.count; i++) {
        struct curl_slist *longer = curl_slist_append(list, to->to.at[i]);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static int send_mail(void *ctx, const struct errand *e, struct courier_news *news) {
    const struct receiver_mail *r = ctx;
    char words[CURL_ERROR_SIZE];
    CURL *c = pinned_easy(&r->place, words);
    char *text = message_write(e, &r->to, r->domain, r->page, clock_wall_ms());
    struct letter letter = {.at = text, .left = text != NULL ? strlen(text) : 0};
    struct curl_slist *whom = recipients(&r->to);
    int rc = c != NULL && text != NULL && whom != NULL ? log_in(c, &r->to, news) : E_NOMEM;
    if (rc == 0) {
        curl_easy_setopt(c, CURLOPT_USE_SSL, r->place.tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
        curl_easy_setopt(c, CURLOPT_MAIL_FROM, r->to.from);
        curl_easy_setopt(c, CURLOPT_MAIL_RCPT, whom);
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(c, CURLOPT_READDATA, &letter);
        rc = e->count == 0 ? pinned_knock(c, words, news->trouble) : pinned_perform(c, words, news->trouble);
        int64_t until_s = pinned_not_after_s(c);
        news->not_after_wall_s = until_s > 0 ? until_s : news->not_after_wall_s;
    }
    curl_slist_free_all(whom);
    free(text);
    curl_easy_cleanup(c);
    return rc;
}

static void mail_end(void *ctx) {
    struct receiver_mail *r = ctx;
    pinned_close(&r->place);
    for (size_t i = 0; i < r->to.to.count; i++)
        free((char *)r->to.to.at[i]);
    free(r->to.to.at);
    free((char *)r->to.from);
    free((char *)r->to.user);
    free((char *)r->to.password_file);
    free(r);
}

static bool copy_texts(struct conf_smtp *to, const struct conf_smtp *from) {
    to->from = strdup(from->from);
    to->user = strdup(from->user);
    to->password_file = strdup(from->password_file);
    to->to.at = calloc(from->to.count + 1, sizeof *to->to.at);
    bool well = to->from != NULL && to->user != NULL && to->password_file != NULL && to->to.at != NULL;
    for (; well && to->to.count < from->to.count; to->to.count++)
        if ((to->to.at[to->to.count] = strdup(from->to.at[to->to.count])) == NULL)
            return false;
    return well;
}

int mail_open(struct courier **out, const struct receiver_plan *plan, const struct conf_smtp *to, struct err *err) {
    struct receiver_mail *r = calloc(1, sizeof *r);
    char name[ADDR_TEXT_MAX + 32], path[ALERT_NAME + 2];
    *out = NULL;
    if (r == NULL)
        return err_set(err, E_NOMEM, "no memory for alerts");
    if (!copy_texts(&r->to, to)) {
        mail_end(r);
        return err_set(err, E_NOMEM, "no memory for alerts");
    }
    text_copy(r->page, sizeof r->page, plan->page);
    message_domain(plan->monitor, r->domain);
    (void)snprintf(path, sizeof path, "/%s", r->domain); /* what libcurl says in EHLO */
    int rc = pinned_open(&r->place, "smtp", &to->address, to->tls_name, to->ca, path, err);
    if (rc < 0) {
        mail_end(r);
        return rc;
    }
    (void)snprintf(name, sizeof name, "alert smtp %s", r->place.address);
    return courier_open(out,
                        &(struct courier_plan){.every_ms = RECEIVER_KNOCK_MS, .folder = plan->folder, .name = name},
                        send_mail, mail_end, r, err);
}
