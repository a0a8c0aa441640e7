#include "health/alert/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "health/alert/json.h"
#include "resolver/base/log.h"

struct memory {
    char path[2048 + 32], beside[2048 + 40];
    struct alert_list *past; /* atomic */
    bool read;               /* atomic */
};

static size_t read_all(int fd, char *to, size_t cap) {
    size_t size = 0;
    while (size < cap) {
        ssize_t n = read(fd, to + size, cap - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        size += (size_t)n;
    }
    return size;
}

static void read_past(void *ctx) {
    struct memory *k = ctx;
    int fd = open(k->path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(JSON_STATE_MAX) : NULL;
    if (text != NULL) {
        struct alert_list *l = json_state_read(text, read_all(fd, text, JSON_STATE_MAX));
        if (l == NULL)
            LOG(LEVEL_ERROR, "the alerts of before cannot be read: what holds is told anew", KS("file", k->path));
        __atomic_store_n(&k->past, l, __ATOMIC_RELEASE);
    } else if (errno != ENOENT) {
        LOG(LEVEL_ERROR, "the alerts of before cannot be read: what holds is told anew", KS("file", k->path));
    }
    free(text);
    if (fd >= 0)
        (void)close(fd);
    __atomic_store_n(&k->read, true, __ATOMIC_RELEASE);
}

static bool write_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* Whole or not at all: beside it, and renamed. */
static int write_list(void *ctx, const struct errand *e, struct courier_news *news) {
    const struct memory *k = ctx;
    char *text = json_state(e->list);
    int fd = text != NULL ? open(k->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640) : -1;
    bool well = fd >= 0 && write_all(fd, text, strlen(text));
    if (fd >= 0)
        well = close(fd) == 0 && well;
    well = well && rename(k->beside, k->path) == 0;
    if (!well)
        (void)snprintf(news->trouble, sizeof news->trouble, "alerts.json: %.100s",
                       text != NULL ? strerror(errno) : "no memory");
    free(text);
    return well ? 0 : E_SYSTEM;
}

static void memory_end(void *ctx) {
    struct memory *k = ctx;
    alert_list_unref(k->past);
    free(k);
}

int memory_open(struct courier **out, struct memory **memory, const char *folder, struct err *err) {
    struct memory *k = *memory = calloc(1, sizeof *k);
    *out = NULL;
    if (k == NULL)
        return err_set(err, E_NOMEM, "no memory for alerts");
    (void)snprintf(k->path, sizeof k->path, "%.2047s/alerts.json", folder);
    (void)snprintf(k->beside, sizeof k->beside, "%s.new", k->path);
    const struct courier_plan plan = {.every_list = true, .begin = read_past, .folder = "", .name = ""};
    int rc = courier_open(out, &plan, write_list, memory_end, k, err);
    if (rc < 0)
        *memory = NULL;
    return rc;
}

bool memory_past(struct memory *k, struct alert_list **past) {
    *past = NULL;
    if (!__atomic_load_n(&k->read, __ATOMIC_ACQUIRE))
        return false;
    *past = __atomic_exchange_n(&k->past, NULL, __ATOMIC_ACQ_REL);
    return true;
}
