/* A zone's stream as somebody might send it. Two real ones, a snapshot and changes, are made at the beginning; the
 * input says what becomes of them, or is a stream itself. First octet: 1 changes, 2 the sum at the end is made right
 * again, 4 the input as it stands; then edits of four octets: where (2), how (1), with what (1). Nothing may crash, and
 * what is committed must verify. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rbl/keep/edit.h"
#include "rbl/keep/stream.h"
#include "resolver/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { FRAME = 5, SUM = 16, STREAM_MOST = 1 << 20, ENTRIES = 60 };

struct told {
    uint8_t *at;
    size_t size;
};

static struct conf_zone zones[2] = {{.name = "a.example.", .journal = 1 << 20},
                                    {.name = "b.example.", .journal = 1 << 20}};
static struct keep *from, *to;
static struct told snapshot, base, changes;
static struct keep_state based;

static void must(int cond, const char *what) {
    if (!cond) {
        fprintf(stderr, "fuzz_stream: %s\n", what);
        abort();
    }
}

static void add_all(struct data *d, unsigned round) {
    uint32_t id[3];
    for (unsigned i = 0; i < 3; i++) {
        struct value v = {
            .a = {127, 0, 0, (uint8_t)(2 + i)}, .has_txt = i > 0, .txt_size = i > 0 ? 4 : 0, .txt = "x $y"};
        must(data_value(d, &v, &id[i]) == 0, "value");
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint8_t six[16] = {0x20, 1, 0xd, 0xb8, (uint8_t)i, [8] = (uint8_t)(i % 2 ? round : 0)};
        uint32_t four = i * 0x01010101u + (i % 7 == round), bits = i % 3 ? 32 : 24;
        char text[32];
        struct name n;
        must(data_add4(d, 0, bits == 24 ? four & ~255u : four, bits == 24 ? four | 255u : four, id[i % 3]) == 0,
             "entry");
        must(data_add6(d, 1, six, i % 2 ? 128 : 48, id[i % 3]) == 0, "entry");
        snprintf(text, sizeof text, "n%u.r%u.example", i, i % 5 == 0 ? round : 0);
        must(name_from_text(&n, text, NULL) == 0 && data_add_name(d, 2, &n, i % 2, i % 11 ? id[i % 3] : 0) == 0,
             "name");
    }
}

static void replace(struct keep *k, unsigned round) {
    static const enum conf_dataset_type types[] = {DATASET_IP4SET, DATASET_IP6TRIE, DATASET_DNSET};
    struct keep_commit c = {.source = "fuzz"};
    struct keep_result r;
    struct err err;
    struct data d;
    must(data_open(&d) == 0, "data");
    for (d.dataset_count = 0; d.dataset_count < 3; d.dataset_count++)
        d.dataset[d.dataset_count].type = types[d.dataset_count];
    add_all(&d, round);
    must(data_settle(&d, &err) == 0 && keep_replace(k, &d, &c, &r, &err) == 0, "replace");
    data_free(&d);
}

static void edit(struct keep *k) {
    struct keep_entry e = {.kind = KEEP_4, .bits = 32, .addr = {192, 0, 2, 1}, .value = {.a = {127, 0, 0, 2}}};
    struct keep_commit c = {.source = "fuzz"};
    struct keep_result r;
    struct keep_batch *b;
    struct err err;
    e.until_wall_s = 4000000000;
    must(keep_batch_open(&b, k, &err) == 0 && keep_batch_add(b, &e, &err) == 0 &&
             keep_batch_commit(b, &c, &r, &err) == 0,
         "edit");
    keep_batch_close(b);
}

static void tell(struct told *t, const struct keep_state *since) {
    struct stream_out *o;
    struct stream_head h;
    struct keep *r;
    struct err err;
    size_t n = 0;
    must(keep_share(from, &r, &err) == 0, "share");
    must((since == NULL ? stream_out_snapshot(&o, r, &h, &err)
                        : stream_out_open(&o, r, since->serial, &since->digest, &h, &err)) == 0,
         "open");
    t->at = malloc(STREAM_MOST);
    must(t->at != NULL && stream_out_read(o, t->at, STREAM_MOST, &n, &err) == 0 && n < STREAM_MOST, "read");
    t->size = n;
    stream_out_close(o);
    keep_close(r);
}

static int take(const uint8_t *at, size_t size, size_t piece) {
    struct keep_commit c = {.source = "fuzz"};
    struct keep_result r;
    struct stream_in *in;
    struct err err;
    must(stream_in_open(&in, to, &err) == 0, "stream_in_open");
    int rc = 0;
    for (size_t i = 0; i < size && rc == 0; i += piece)
        rc = stream_in_write(in, (struct bytes){at + i, size - i < piece ? size - i : piece}, &err);
    int done = stream_in_commit(in, &c, &r, &err);
    must(rc == 0 || done != 0, "a stream that failed was committed");
    stream_in_close(in);
    return done;
}

static void remove_state(void) {
    char command[96];
    keep_close(from);
    keep_close(to);
    snprintf(command, sizeof command, "rm -rf /tmp/fuzz_stream.%d", (int)getpid());
    if (system(command) != 0)
        fprintf(stderr, "fuzz_stream: %s\n", command);
}

static void begin(void) {
    char dir[64];
    struct err err;
    log_open("fuzz", LEVEL_ERROR, LOG_FORMAT_LOGFMT, LOG_TARGET_STDERR);
    snprintf(dir, sizeof dir, "/tmp/fuzz_stream.%d", (int)getpid());
    for (unsigned i = 0; i < 2; i++) {
        zones[i].limits.shrink = zones[i].limits.grow = 1e9;
        zones[i].ttl_s = 300;
        must(keep_open(i == 0 ? &from : &to, dir, &zones[i], &err) == 0, "keep_open");
    }
    atexit(remove_state);
    replace(from, 0);
    edit(from);
    tell(&base, NULL);
    keep_state(from, &based);
    must(take(base.at, base.size, 4096) == 0, "the real one");
    replace(from, 1);
    tell(&changes, &based);
    tell(&snapshot, NULL);
}

/* The edits. */
static size_t alter(uint8_t *to_at, const struct told *t, const uint8_t *bytes, size_t size) {
    size_t n = t->size;
    memcpy(to_at, t->at, n);
    for (size_t i = 0; i + 4 <= size && n > 0; i += 4) {
        size_t at = (size_t)(bytes[i] << 8 | bytes[i + 1]) % n, count = 1 + (bytes[i + 2] >> 3);
        uint8_t with = bytes[i + 3];
        count = count < n - at ? count : n - at;
        switch (bytes[i + 2] & 7) {
        case 0:
            to_at[at] ^= with;
            break;
        case 1:
            memset(to_at + at, with, count);
            break;
        case 2:
            memmove(to_at + at, to_at + at + count, n - at - count);
            n -= count;
            break;
        case 3:
            if (n + count < STREAM_MOST) {
                memmove(to_at + at + count, to_at + at, n - at);
                n += count;
            }
            break;
        default:
            to_at[at] = with;
        }
    }
    return n;
}

static size_t right_sum(uint8_t *at, size_t size) {
    size_t body = size > FRAME + SUM ? size - FRAME - SUM : 0;
    XXH128_hash_t sum = XXH3_128bits(at, body);
    at[body] = 'E';
    put_u32(at + body + 1, SUM);
    put_u64(at + body + FRAME, sum.high64);
    put_u64(at + body + FRAME + 8, sum.low64);
    return body + FRAME + SUM;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static uint8_t stream[STREAM_MOST + FRAME + SUM];
    struct keep_state st;
    struct err err;
    if (from == NULL)
        begin();
    if (size == 0 || size > STREAM_MOST)
        return 0;
    size_t n = size - 1;
    if (bytes[0] & 4)
        memcpy(stream, bytes + 1, n);
    else
        n = alter(stream, bytes[0] & 1 ? &changes : &snapshot, bytes + 1, n);
    if (bytes[0] & 2)
        n = right_sum(stream, n);
    if (take(stream, n, 1u + (bytes[0] >> 3) * 100u) == 0)
        must(keep_verify(to, &err) == 0, err.text);
    keep_state(to, &st);
    if (st.serial != based.serial || st.digest.lo != based.digest.lo)
        must(take(base.at, base.size, 4096) == 0, "back to the beginning");
    return 0;
}
