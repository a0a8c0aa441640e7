/* The digest of a zone (RFC 8976): SIMPLE, SHA-384 and SHA-512 over all RRs in canonical form and order. */
#include <openssl/evp.h>
#include <stdlib.h>

#include "rbl/records/impl.h"
#include "rbl/records/in_impl.h"

enum { SCHEME_SIMPLE = 1, HASHES = 2, FIXED = 10, DIGEST_LEAST = 12, RRSIG_NAME = 18 };

/* RRs one behind the other: path of the owner (its size first), then type, class, TTL, size of RDATA, RDATA. */
struct zonemd {
    struct buf rrs;
    size_t *at;
    size_t count, cap;
};

int zonemd_open(struct zonemd **z) {
    *z = calloc(1, sizeof **z);
    return *z != NULL ? 0 : E_NOMEM;
}

void zonemd_close(struct zonemd *z) {
    if (z == NULL)
        return;
    buf_free(&z->rrs);
    free(z->at);
    free(z);
}

/* Where domain names begin in RDATA that RFC 4034 section 6.2 has in lower case, as far as such RDATA is left in
 * transfers; how many follow. */
static unsigned names_at(uint16_t type, size_t *from) {
    enum { TYPE_RP = 17, TYPE_AFSDB = 18, TYPE_KX = 36 };
    *from = type == TYPE_MX || type == TYPE_AFSDB || type == TYPE_KX ? 2 : type == TYPE_SRV ? 6 : 0;
    switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
    case TYPE_MX:
    case TYPE_AFSDB:
    case TYPE_KX:
    case TYPE_SRV:
        return 1;
    case TYPE_SOA:
    case TYPE_RP:
        return 2;
    case TYPE_RRSIG:
        *from = RRSIG_NAME;
        return 1;
    default:
        return 0;
    }
}

static void lower_rdata(uint16_t type, uint8_t *rdata, size_t size) {
    size_t at;
    for (unsigned names = names_at(type, &at); names > 0; names--) {
        while (at < size && rdata[at] != 0 && rdata[at] < size - at) {
            for (unsigned i = 1; i <= rdata[at]; i++)
                if (rdata[at + i] >= 'A' && rdata[at + i] <= 'Z')
                    rdata[at + i] |= 0x20;
            at += rdata[at] + 1u;
        }
        at++;
    }
}

int zonemd_add(struct zonemd *z, const struct records_rr *rr) {
    uint8_t path[PATH_MAX_SIZE];
    if (z->count == z->cap) {
        size_t cap = z->cap == 0 ? 1024 : z->cap + z->cap / 2;
        size_t *more = realloc(z->at, cap * sizeof *more);
        if (more == NULL)
            return E_NOMEM;
        z->at = more;
        z->cap = cap;
    }
    size_t size = path_of(path, &rr->owner), at = z->rrs.size;
    for (size_t i = 0, label = 0; i < size; i++) {
        if (i == label)
            label += path[i] + 1u;
        else if (path[i] >= 'A' && path[i] <= 'Z')
            path[i] |= 0x20;
    }
    buf_u8(&z->rrs, (unsigned)size);
    buf_put(&z->rrs, path, size);
    buf_u16(&z->rrs, rr->type);
    buf_u16(&z->rrs, CLASS_IN);
    buf_u32(&z->rrs, rr->ttl);
    buf_u16(&z->rrs, (unsigned)rr->rdata.size);
    uint8_t *rdata = buf_take(&z->rrs, rr->rdata.size);
    if (rdata == NULL || z->rrs.failed)
        return E_NOMEM;
    if (rr->rdata.size > 0)
        memcpy(rdata, rr->rdata.at, rr->rdata.size);
    lower_rdata(rr->type, rdata, rr->rdata.size);
    z->at[z->count++] = at;
    return 0;
}

struct canonical {
    const uint8_t *path, *fixed, *rdata;
    size_t path_size, rdata_size;
    uint16_t type;
};

static struct canonical rr_at(const struct zonemd *z, size_t i) {
    const uint8_t *at = z->rrs.at + z->at[i];
    struct canonical c = {.path = at + 1, .path_size = at[0]};
    c.fixed = c.path + c.path_size;
    c.type = get_u16(c.fixed);
    c.rdata = c.fixed + FIXED;
    c.rdata_size = get_u16(c.fixed + 8);
    return c;
}

static int compare_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    size_t size = a_size < b_size ? a_size : b_size;
    int c = size > 0 ? memcmp(a, b, size) : 0;
    return c != 0 ? c : (a_size > b_size) - (a_size < b_size);
}

/* RFC 4034 section 6.1: label by label from the right. */
static int compare_owners(const struct canonical *a, const struct canonical *b) {
    size_t i = 0, k = 0;
    for (; i < a->path_size && k < b->path_size; i += a->path[i] + 1u, k += b->path[k] + 1u) {
        int c = compare_bytes(a->path + i + 1, a->path[i], b->path + k + 1, b->path[k]);
        if (c != 0)
            return c;
    }
    return (i < a->path_size) - (k < b->path_size);
}

static int compare(const void *va, const void *vb, void *ctx) {
    const struct zonemd *z = ctx;
    size_t ia = *(const size_t *)va, ib = *(const size_t *)vb;
    struct zonemd one = {.rrs = z->rrs, .at = &ia}, two = {.rrs = z->rrs, .at = &ib};
    struct canonical a = rr_at(&one, 0), b = rr_at(&two, 0);
    int c = compare_owners(&a, &b);
    if (c != 0 || a.type != b.type)
        return c != 0 ? c : a.type < b.type ? -1 : 1;
    return compare_bytes(a.rdata, a.rdata_size, b.rdata, b.rdata_size);
}

/* ZONEMD at the apex, and what is signed of it, are left out. */
static bool counts(const struct canonical *c, const uint8_t *apex, size_t apex_size) {
    if (c->path_size != apex_size || memcmp(c->path, apex, apex_size) != 0)
        return true;
    return c->type != TYPE_ZONEMD && !(c->type == TYPE_RRSIG && c->rdata_size >= 2 && get_u16(c->rdata) == TYPE_ZONEMD);
}

static bool put_rr(EVP_MD_CTX *ctx, const struct canonical *c) {
    uint8_t owner[LIMIT_NAME_WIRE + 1];
    size_t to = c->path_size;
    owner[to] = 0;
    for (size_t at = 0; at < c->path_size; at += c->path[at] + 1u) {
        to -= c->path[at] + 1u;
        memcpy(owner + to, c->path + at, c->path[at] + 1u);
    }
    return EVP_DigestUpdate(ctx, owner, c->path_size + 1) == 1 &&
           EVP_DigestUpdate(ctx, c->fixed, FIXED + c->rdata_size) == 1;
}

static int digest_zone(const struct zonemd *z, const uint8_t *apex, size_t apex_size, unsigned hash,
                       uint8_t to[EVP_MAX_MD_SIZE], unsigned *size) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, hash == 1 ? EVP_sha384() : EVP_sha512(), NULL) == 1;
    for (size_t i = 0; i < z->count && good; i++) {
        struct canonical c = rr_at(z, i);
        if (counts(&c, apex, apex_size) && (i == 0 || compare(&z->at[i - 1], &z->at[i], (void *)(uintptr_t)z) != 0))
            good = put_rr(ctx, &c);
    }
    good = good && EVP_DigestFinal_ex(ctx, to, size) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? 0 : E_NOMEM;
}

struct claimed {
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint32_t serial;
    unsigned size, times; /* a digest told twice counts for nothing (section 4) */
};

static void find_claims(const struct zonemd *z, const uint8_t *apex, size_t apex_size, struct claimed claim[HASHES],
                        uint32_t *serial) {
    static const unsigned sizes[HASHES] = {48, 64};
    for (size_t i = 0; i < z->count; i++) {
        struct canonical c = rr_at(z, i);
        if (c.path_size != apex_size || memcmp(c.path, apex, apex_size) != 0)
            continue;
        if (c.type == TYPE_SOA && c.rdata_size >= 20)
            *serial = get_u32(c.rdata + c.rdata_size - 20);
        if (c.type != TYPE_ZONEMD || c.rdata_size < 6 + DIGEST_LEAST || c.rdata[4] != SCHEME_SIMPLE || c.rdata[5] < 1 ||
            c.rdata[5] > HASHES || c.rdata_size - 6 != sizes[c.rdata[5] - 1])
            continue;
        struct claimed *k = &claim[c.rdata[5] - 1];
        k->times++;
        k->serial = get_u32(c.rdata);
        k->size = (unsigned)(c.rdata_size - 6);
        memcpy(k->digest, c.rdata + 6, k->size);
    }
}

int zonemd_check(struct zonemd *z, const struct name *apex, struct err *err) {
    struct claimed claim[HASHES] = {{.times = 0}};
    uint8_t path[PATH_MAX_SIZE], digest[EVP_MAX_MD_SIZE];
    size_t path_size = path_of(path, apex);
    uint32_t serial = 0;
    bool any = false;
    qsort_r(z->at, z->count, sizeof *z->at, compare, z);
    find_claims(z, path, path_size, claim, &serial);
    for (unsigned h = 0; h < HASHES; h++) {
        unsigned size = 0;
        if (claim[h].times != 1)
            continue;
        any = true;
        if (claim[h].serial != serial)
            continue;
        int rc = digest_zone(z, path, path_size, h + 1, digest, &size);
        if (rc < 0)
            return err_set(err, rc, "no memory for the zone's digest");
        if (size == claim[h].size && memcmp(digest, claim[h].digest, size) == 0)
            return 1;
    }
    if (!any)
        return 0;
    return err_set(err, E_INVALID, "the zone's digest (ZONEMD, RFC 8976) is not that of what came");
}
