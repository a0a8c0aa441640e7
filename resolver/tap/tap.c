#include "resolver/tap/tap.h"

#include <dnstap.pb-c.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "resolver/base/clock.h"
#include "resolver/tap/sink.h"

static const char CONTENT[] = "protobuf:dnstap.Dnstap";

struct tap {
    struct sink sink;
    struct fstrm_iothr *thread;
    struct fstrm_iothr_queue *queue;
    struct board_worker *stats;
    const char *identity;
    uint64_t put_frames, put_octets;           /* by the worker */
    _Atomic uint64_t done_frames, done_octets; /* by the library's thread: written, or thrown away */
    uint64_t dropped;
};

/* --- the library's thread */

static struct fstrm_writer *writer_of(struct sink *s) {
    struct fstrm_writer_options *options = fstrm_writer_options_init();
    struct fstrm_rdwr *rdwr = sink_rdwr(s);
    struct fstrm_writer *w = NULL;
    if (options != NULL && rdwr != NULL &&
        fstrm_writer_options_add_content_type(options, CONTENT, sizeof CONTENT - 1) == fstrm_res_success)
        w = fstrm_writer_init(options, &rdwr);
    if (rdwr != NULL)
        (void)fstrm_rdwr_destroy(&rdwr);
    if (options != NULL)
        fstrm_writer_options_destroy(&options);
    return w;
}

static struct fstrm_iothr *thread_of(struct fstrm_writer **w) {
    struct fstrm_iothr_options *options = fstrm_iothr_options_init();
    struct fstrm_iothr *thread = NULL;
    sigset_t all, before;
    if (options == NULL)
        return NULL;
    if (fstrm_iothr_options_set_input_queue_size(options, TAP_QUEUE) == fstrm_res_success &&
        /* So much room left wakes the thread, which else looks once a second; the usual 32 would come too late. */
        fstrm_iothr_options_set_queue_notify_threshold(options, TAP_QUEUE / 8 * 7) == fstrm_res_success &&
        fstrm_iothr_options_set_reopen_interval(options, SINK_AGAIN_S) == fstrm_res_success) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the worker's */
        thread = fstrm_iothr_init(options, w);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    fstrm_iothr_options_destroy(&options);
    return thread;
}

int tap_open(struct tap **out, const struct tap_config *config, struct err *err) {
    const struct conf_dnstap *conf = config->conf;
    *out = NULL;
    if (conf->socket[0] == '\0' && conf->file[0] == '\0')
        return 0;
    struct tap *t = calloc(1, sizeof *t);
    if (t == NULL)
        return err_set(err, E_NOMEM, "dnstap: no memory");
    t->stats = config->stats;
    t->identity = config->identity;
    t->sink.fd = -1;
    t->sink.file = conf->file[0] != '\0';
    int n = t->sink.file ? snprintf(t->sink.path, sizeof t->sink.path, "%s.%u", conf->file, config->worker)
                         : snprintf(t->sink.path, sizeof t->sink.path, "%s", conf->socket);
    struct fstrm_writer *w = n > 0 && (size_t)n < sizeof t->sink.path ? writer_of(&t->sink) : NULL;
    t->thread = w != NULL ? thread_of(&w) : NULL;
    t->queue = t->thread != NULL ? fstrm_iothr_get_input_queue(t->thread) : NULL;
    if (w != NULL)
        (void)fstrm_writer_destroy(&w);
    if (t->queue == NULL) {
        tap_close(t);
        return err_set(err, E_NOMEM, "dnstap: cannot be begun");
    }
    *out = t;
    return 0;
}

void tap_close(struct tap *t) {
    if (t == NULL)
        return;
    t->sink.end_ms = clock_mono_ms() + TAP_END_MS;
    if (t->thread != NULL)
        fstrm_iothr_destroy(&t->thread);
    free(t);
}

/* --- the worker */

/* A frame is given its size in front, and its tap: whoever frees it counts it. */
struct frame {
    struct tap *tap;
    size_t size;
    uint8_t octets[];
};

static void frame_done(void *octets, void *ctx) {
    struct frame *f = ctx;
    struct tap *t = f->tap;
    (void)octets;
    t->done_octets += f->size;
    t->done_frames++;
    if (t->stats != NULL)
        board_set(&t->stats->tap_frames, t->sink.written);
    free(f);
}

/* What the library threw away since the receiver went shows in the difference. */
static void drop(struct tap *t) {
    uint64_t done = t->done_frames, written = t->sink.written;
    t->dropped++;
    if (t->stats != NULL)
        board_set(&t->stats->tap_drops, t->dropped + (done > written ? done - written : 0));
}

static ProtobufCBinaryData host_of(const struct addr *a) {
    if (addr_family(a) == AF_INET)
        return (ProtobufCBinaryData){sizeof a->in.sin_addr, (uint8_t *)(uintptr_t)&a->in.sin_addr};
    return (ProtobufCBinaryData){sizeof a->in6.sin6_addr, (uint8_t *)(uintptr_t)&a->in6.sin6_addr};
}

static bool is_known(const struct addr *a) {
    return a != NULL && (addr_family(a) == AF_INET || addr_family(a) == AF_INET6);
}

static void fill_addresses(Dnstap__Message *to, const struct tap_message *m) {
    static const Dnstap__SocketProtocol protos[PROTO_COUNT] = {
        [PROTO_UDP] = DNSTAP__SOCKET_PROTOCOL__UDP,
        [PROTO_TCP] = DNSTAP__SOCKET_PROTOCOL__TCP,
        [PROTO_TLS] = DNSTAP__SOCKET_PROTOCOL__DOT,
    };
    const struct addr *any = is_known(m->asks) ? m->asks : m->answers;
    to->has_socket_protocol = m->proto < PROTO_COUNT;
    to->socket_protocol = m->proto < PROTO_COUNT ? protos[m->proto] : DNSTAP__SOCKET_PROTOCOL__UDP;
    if (!is_known(any))
        return;
    to->has_socket_family = true;
    to->socket_family = addr_family(any) == AF_INET ? DNSTAP__SOCKET_FAMILY__INET : DNSTAP__SOCKET_FAMILY__INET6;
    if (is_known(m->asks)) {
        to->has_query_address = to->has_query_port = true;
        to->query_address = host_of(m->asks);
        to->query_port = addr_port(m->asks);
    }
    if (is_known(m->answers)) {
        to->has_response_address = to->has_response_port = true;
        to->response_address = host_of(m->answers);
        to->response_port = addr_port(m->answers);
    }
}

static void fill_times(Dnstap__Message *to, const struct tap_message *m) {
    int64_t ahead_ns = clock_ns(CLOCK_KIND_WALL) - clock_ns(CLOCK_KIND_MONO), asked_ns = m->asked_ns + ahead_ns;
    to->has_query_time_sec = to->has_query_time_nsec = true;
    to->query_time_sec = (uint64_t)(asked_ns / NS_PER_S);
    to->query_time_nsec = (uint32_t)(asked_ns % NS_PER_S);
    ProtobufCBinaryData msg = {m->msg.size, (uint8_t *)(uintptr_t)m->msg.at};
    if (m->answered_ns == 0) {
        to->has_query_message = true;
        to->query_message = msg;
        return;
    }
    int64_t answered_ns = m->answered_ns + ahead_ns;
    to->has_response_time_sec = to->has_response_time_nsec = to->has_response_message = true;
    to->response_time_sec = (uint64_t)(answered_ns / NS_PER_S);
    to->response_time_nsec = (uint32_t)(answered_ns % NS_PER_S);
    to->response_message = msg;
}

static bool has_room(const struct tap *t) {
    return t->put_frames - t->done_frames < TAP_QUEUE && t->put_octets - t->done_octets < TAP_OCTETS;
}

static struct frame *pack(struct tap *t, const struct tap_message *m) {
    Dnstap__Message message = DNSTAP__MESSAGE__INIT;
    Dnstap__Dnstap all = DNSTAP__DNSTAP__INIT;
    message.type = (Dnstap__Message__Type)m->kind;
    fill_addresses(&message, m);
    fill_times(&message, m);
    all.type = DNSTAP__DNSTAP__TYPE__MESSAGE;
    all.message = &message;
    all.has_identity = all.has_version = true;
    all.identity = (ProtobufCBinaryData){strlen(t->identity), (uint8_t *)(uintptr_t)t->identity};
    all.version = (ProtobufCBinaryData){sizeof "Candor " CANDOR_VERSION - 1, (uint8_t *)"Candor " CANDOR_VERSION};
    size_t size = dnstap__dnstap__get_packed_size(&all);
    struct frame *f = malloc(sizeof *f + size);
    if (f == NULL)
        return NULL;
    f->tap = t;
    f->size = dnstap__dnstap__pack(&all, f->octets);
    return f;
}

void tap_put(struct tap *t, const struct tap_message *m) {
    struct frame *f = t->sink.up && has_room(t) ? pack(t, m) : NULL;
    if (f == NULL) {
        drop(t);
        return;
    }
    size_t size = f->size;
    if (fstrm_iothr_submit(t->thread, t->queue, f->octets, size, frame_done, f) != fstrm_res_success) {
        free(f);
        drop(t);
        return;
    }
    t->put_frames++;
    t->put_octets += size;
}
