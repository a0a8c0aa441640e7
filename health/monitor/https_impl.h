/* Between the files of the HTTPS receiver: who may post, and one request. */
#ifndef CANDOR_MONITOR_HTTPS_IMPL_H
#define CANDOR_MONITOR_HTTPS_IMPL_H

#include <microhttpd.h>
#include <pthread.h>

#include "health/monitor/https_in.h"
#include "health/monitor/index.h"
#include "resolver/dns/tsig.h"

/* A connection, for whoever ends those that take too long. */
struct https_line {
    struct https_line *prev, *next;
    int fd;
    int64_t since_ms;
    bool waiting; /* for the disk: that is ours to end */
};

struct https_key {
    const char *name;
    size_t size;
    uint8_t secret[TSIG_SECRET_MAX];
};

struct https_in {
    const struct conf *conf;
    struct taker *taker;
    struct node_index *index;
    struct https_key *keys; /* as rbl.keys; size 0: no node has it */
    size_t key_count;
    size_t key_of[LIMIT_NODES]; /* of each node; SIZE_MAX: none */
    struct https_in_word word[LIMIT_NODES];
    uint64_t refused[HTTPS_IN_REFUSALS]; /* atomic */
    size_t bytes;                        /* atomic: of bodies under way */
    int64_t life_ms;
    struct certificate *certificate;
    pthread_mutex_t lock; /* of `lines` */
    struct https_line *lines;
    struct MHD_Daemon *daemon[LIMIT_LISTEN];
    size_t daemons;
};

/* One request. */
struct https_post {
    struct https_in *h;
    struct MHD_Connection *connection;
    struct https_line *line; /* NULL: not known */
    size_t key, node;
    char moment[24], given[72]; /* Candor-Time, Candor-MAC */
    char *body;
    size_t size, length;
    uint64_t boot, sequence, event; /* for the acknowledgement */
    bool asked, ended;              /* ended: atomic */
    int code;
    unsigned status; /* it was refused with; 0: it was not */
    char why[160];
};

/* By the headers alone: 0, or the status that it is refused with, and why. */
unsigned https_post_begin(struct https_post *p, const char **why);
/* The body is whole: 0: it went to the archive, done() will be called; or the status, with p->why. */
unsigned https_post_end(struct https_post *p, void (*done)(void *ctx, int code));
/* The acknowledgement. Its size. */
size_t https_post_answer(const struct https_post *p, char *to, size_t size);
int https_keys_open(struct https_in *h, struct err *err) MUST_USE;
void https_keys_close(struct https_in *h);
unsigned https_refuse(struct https_in *h, enum https_in_refusal r, unsigned status);

#endif
