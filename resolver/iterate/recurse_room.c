/* Names under way: where they come from, how they wait for their turn, how they go. */
#include <stdlib.h>

#include "resolver/iterate/recurse_impl.h"

int64_t recurse_now(const struct recursions *a) { return a->config.sender.ops->now_ms(a->config.sender.self); }

/* --- one name */

struct recurse *recurse_new(struct recursions *a, struct recurse *parent, const struct resolve_question *q) {
    struct recurse *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->all = a;
    x->parent = parent;
    x->budget = parent != NULL ? parent->budget : &x->own;
    x->fell_back = parent != NULL && parent->fell_back;
    x->depth = parent != NULL ? parent->depth + 1 : 0;
    x->q = *q;
    x->name = q->qname;
    x->refresh = q->refresh;
    x->below = UINT32_MAX;
    x->minimise = a->config.conf->resolver.recursion.qname_minimisation;
    x->next = a->all;
    if (a->all != NULL)
        a->all->before = x;
    a->all = x;
    return x;
}

static void unqueue(struct recurse *x) {
    struct recursions *a = x->all;
    struct recurse **at = &a->queue_head, *before = NULL;
    while (*at != NULL && *at != x) {
        before = *at;
        at = &(*at)->queue;
    }
    if (*at == NULL)
        return;
    *at = x->queue;
    if (a->queue_tail == x)
        a->queue_tail = before;
    x->queued = false;
}

void recurse_cancel(struct recurse *x) {
    recurse_drop_children(x);
    if (x->asking != NULL)
        asking_cancel(x->asking);
    if (x->queued)
        unqueue(x);
    *(x->before != NULL ? &x->before->next : &x->all->all) = x->next;
    if (x->next != NULL)
        x->next->before = x->before;
    parts_clear(&x->parts);
    free(x);
}

/* --- the queue */

void recurse_ready(struct recurse *x) {
    struct recursions *a = x->all;
    if (x->queued)
        return;
    x->queued = true;
    x->queue = NULL;
    *(a->queue_tail != NULL ? &a->queue_tail->queue : &a->queue_head) = x;
    a->queue_tail = x;
}

void recurse_run_all(struct recursions *a) {
    if (a->running)
        return;
    a->running = true;
    while (a->queue_head != NULL) {
        struct recurse *x = a->queue_head;
        unqueue(x);
        recurse_run(x);
    }
    a->running = false;
}

/* --- all of a worker's */

struct servers *recursions_servers(struct recursions *a) {
    return a->servers;
}

int recursions_open(struct recursions **out, const struct recursions_config *config, struct err *err) {
    struct recursions *a = calloc(1, sizeof *a);
    int e = 0;
    *out = NULL;
    if (a == NULL || (a->sift = sift_new()) == NULL) {
        free(a);
        return err_set(err, E_NOMEM, "recursion: no memory");
    }
    a->config = *config;
    if ((e = hints_open(&a->hints, config->conf, err)) != 0 || (e = servers_open(&a->servers, err)) != 0)
        goto bad;
    struct asking_config asking = {config->conf, config->sender, a->servers};
    if ((e = askings_open(&a->askings, &asking, err)) != 0)
        goto bad;
    *out = a;
    return 0;
bad:
    recursions_close(a);
    return e;
}

void recursions_close(struct recursions *a) {
    if (a == NULL)
        return;
    for (struct recurse *x = a->all, *next; x != NULL; x = next) {
        next = x->next;
        for (unsigned i = 0; i < BOUND_GLUELESS_AT_ONCE; i++)
            x->child[i] = NULL; /* each ends by itself here */
        recurse_cancel(x);
    }
    askings_close(a->askings);
    servers_close(a->servers);
    sift_free(a->sift);
    free(a);
}
