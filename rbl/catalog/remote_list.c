/* The property as it comes: whatever can be wrong with it, is said of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rbl/catalog/remote.h"

enum { NUMBER_DIGITS = 15 };

/* A decimal number without sign and without zeros in front. */
static bool number(const char *text, size_t size, uint64_t *to) {
    *to = 0;
    if (size == 0 || size > NUMBER_DIGITS || (text[0] == '0' && size > 1))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *to = *to * 10 + (uint64_t)(text[i] - '0');
    }
    return true;
}

static void wrong(struct catalog_remote *r, const char *what) {
    if (r->error[0] == '\0')
        text_copy(r->error, sizeof r->error, what);
}

static bool takes(const char *text, size_t size, const char *key, uint64_t *to, bool *good) {
    size_t n = strlen(key);
    if (size <= n || memcmp(text, key, n) != 0)
        return false;
    *good &= number(text + n, size - n, to);
    return true;
}

static void head(struct catalog_remote *r, struct bytes rdata) {
    static const char sha[] = "sha256=";
    bool good = true;
    if (r->there)
        wrong(r, "more than one head");
    r->there = true;
    for (size_t at = 0; at < rdata.size && at + 1 + rdata.at[at] <= rdata.size; at += (size_t)rdata.at[at] + 1) {
        const char *text = (const char *)rdata.at + at + 1;
        size_t size = rdata.at[at], n = sizeof sha - 1;
        if (takes(text, size, "version=", &r->number, &good) || takes(text, size, "size=", &r->size, &good) ||
            takes(text, size, "parts=", &r->parts, &good) || takes(text, size, "at=", &r->wall_s, &good))
            continue;
        if (size == n + REMOTE_DIGEST - 1 && memcmp(text, sha, n) == 0) {
            memcpy(r->digest, text + n, REMOTE_DIGEST - 1);
            r->digest[REMOTE_DIGEST - 1] = '\0';
        }
    }
    for (size_t i = 0; r->digest[i] != '\0'; i++)
        good &= strchr("0123456789abcdef", r->digest[i]) != NULL;
    if (!good || r->number == 0 || r->digest[0] == '\0')
        wrong(r, "a head without a version, a SHA-256, a size and a number of parts");
    if (r->size > REMOTE_BYTES || r->parts > REMOTE_PARTS)
        wrong(r, "more than a configuration may have");
}

/* The octets of all its strings. */
static int part(struct catalog_remote *r, struct arena *a, uint64_t index, struct bytes rdata, struct err *err) {
    uint8_t *to = arena_alloc(a, rdata.size + 1);
    size_t size = 0;
    if (to == NULL)
        return err_set(err, E_NOMEM, "no memory for a catalog");
    for (size_t at = 0; at < rdata.size && at + 1 + rdata.at[at] <= rdata.size; at += (size_t)rdata.at[at] + 1) {
        memcpy(to + size, rdata.at + at + 1, rdata.at[at]);
        size += rdata.at[at];
    }
    if (r->part[index].at != NULL)
        wrong(r, "a part that is there twice");
    r->part[index] = (struct bytes){to, size};
    return 0;
}

int catalog_remote_add(struct catalog_remote *r, struct arena *a, const struct records_rr *rr, unsigned depth,
                       struct err *err) {
    const struct name *n = &rr->owner;
    uint64_t index;
    if (depth == 3) {
        head(r, rr->rdata);
        return 0;
    }
    size_t at = name_label_at(n, 0);
    if (!number((const char *)n->wire + at + 1, n->wire[at], &index) || index >= REMOTE_PARTS)
        return 0; /* a property that we do not know */
    return part(r, a, index, rr->rdata, err);
}

static int put_together(const struct catalog_remote *r, struct remote_version *v) {
    size_t size = 0;
    char digest[REMOTE_DIGEST];
    for (size_t i = 0; i < r->parts; i++) {
        if (r->part[i].at == NULL) {
            (void)snprintf(v->words, sizeof v->words, "part %zu of %llu is missing", i, (unsigned long long)r->parts);
            return 0;
        }
        size += r->part[i].size;
    }
    if (size != r->size) {
        (void)snprintf(v->words, sizeof v->words, "%zu octets, and not %llu", size, (unsigned long long)r->size);
        return 0;
    }
    char *text = malloc(size + 1);
    if (text == NULL)
        return E_NOMEM;
    char *to = text;
    for (size_t i = 0; i < r->parts; i++) {
        memcpy(to, r->part[i].at, r->part[i].size);
        to += r->part[i].size;
    }
    *to = '\0';
    if (remote_digest(digest, text, size) < 0 || strcmp(digest, r->digest) != 0 || strlen(text) != size) {
        text_copy(v->words, sizeof v->words, "its text is not the one that its SHA-256 is of");
        free(text);
        return 0;
    }
    v->text = text;
    v->size = size;
    return 0;
}

int catalog_remote_take(const struct catalog_remote *r, struct remote_version *v, struct err *err) {
    *v = (struct remote_version){.number = 0};
    if (!r->there)
        return 0;
    v->number = r->number;
    v->wall_s = (int64_t)r->wall_s;
    text_copy(v->digest, sizeof v->digest, r->digest);
    text_copy(v->words, sizeof v->words, r->error);
    int rc = v->words[0] == '\0' ? put_together(r, v) : 0;
    return rc == 0 ? 0 : err_set(err, rc, "no memory for a configuration");
}
