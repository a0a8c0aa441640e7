/* A kept zone read place by place: cursors over one dataset's prefixes of one level, and over its names, in the order
 * of addresses and of reversed labels. For walks that merge datasets and seek (rbl/records). What is read is checked:
 * anything else is E_CORRUPT.
 *
 * One read transaction, from open to close. Whatever touches the store is called inside of reader_guarded. */
#ifndef CANDOR_KEEP_READ_H
#define CANDOR_KEEP_READ_H

#include "rbl/keep/impl.h"
#include "rbl/keep/look.h"

/* An address, its first octet uppermost: an IPv4 one has 96 zero bits behind it. */
__extension__ typedef unsigned __int128 read_addr;
static inline read_addr read_mask(unsigned bits) { return bits == 0 ? 0 : ~(read_addr)0 << (128 - bits); }
read_addr read_addr_of(const uint8_t *addr, unsigned octets);
void read_addr_put(read_addr a, uint8_t addr[16]);

struct reader;
/* E_NOTFOUND: nothing was ever committed. `reading` outlives the reader, and nothing else is asked of it meanwhile. */
int reader_open(struct reader **r, struct keep *reading, struct err *err) MUST_USE;
/* In a transaction that is open, and stays so: places alone, without meta and a guard. */
int reader_of(struct reader **r, struct store_txn *t) MUST_USE;
void reader_close(struct reader *r); /* NULL is none */
const struct meta *reader_meta(const struct reader *r);
/* Runs `body` so that a fault in the map is E_CORRUPT; the reader is then good for closing alone. */
int reader_guarded(struct reader *r, int (*body)(void *ctx, struct err *err), void *ctx, struct err *err) MUST_USE;
/* Of an id that is not 0; at hand until some other values were asked for. */
int reader_value(struct reader *r, uint32_t id, const struct value **v) MUST_USE;

struct read_item {
    read_addr addr;
    uint32_t value; /* 0: an exclusion */
    uint8_t bits;
};

/* The prefixes of one dataset at one level (bucket.h): shorter ones first where two begin alike. */
struct read_prefixes {
    struct reader *r;
    const struct level *lv;
    enum bucket_kind kind;
    uint8_t dataset;
    bool end, held; /* no more; `now` is there */
    struct read_item now;
    struct store_cursor *cursor;
    struct items items; /* of the bucket at hand, by suffix, then bits */
    size_t at;
    read_addr base; /* address of that bucket */
};
int read_prefixes_open(struct read_prefixes *p, struct reader *r, enum bucket_kind kind, unsigned dataset,
                       unsigned level) MUST_USE;
void read_prefixes_close(struct read_prefixes *p);
/* p->now becomes the first that begins at `from` or behind. */
int read_prefixes_seek(struct read_prefixes *p, read_addr from) MUST_USE;
int read_prefixes_next(struct read_prefixes *p) MUST_USE;
/* After a seek to `from`: tells those that begin before it and hold it, shortest first. */
int read_prefixes_around(struct read_prefixes *p, read_addr from, int (*each)(void *ctx, const struct read_item *i),
                         void *ctx) MUST_USE;

/* The names of one dataset, as keys have them. */
struct read_names {
    struct reader *r;
    uint8_t dataset;
    bool end, held;
    struct bytes name, record; /* of now: reversed labels; name_item_next */
    struct store_cursor *cursor;
    uint8_t last[STORE_KEY_MAX];
    size_t last_size;
};
int read_names_open(struct read_names *n, struct reader *r, unsigned dataset) MUST_USE;
void read_names_close(struct read_names *n);
int read_names_seek(struct read_names *n, struct bytes from) MUST_USE;
int read_names_next(struct read_names *n) MUST_USE;

#endif
