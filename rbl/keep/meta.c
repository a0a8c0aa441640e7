#include "rbl/keep/meta.h"

enum { META_MAGIC = 0x435a4e31, ZONE_RECORD = 116 };

void meta_write_zone(struct buf *to, const struct meta *m) {
    buf_u32(to, META_MAGIC);
    buf_u16(to, META_FORMAT);
    buf_u16(to, 0);
    buf_u32(to, m->serial);
    buf_u64(to, m->commits);
    for (unsigned i = 0; i < ARRAY_SIZE(m->entries); i++)
        buf_u64(to, m->entries[i]);
    buf_u64(to, (uint64_t)m->changed_wall_s);
    buf_u64(to, (uint64_t)m->timestamp_wall_s);
    buf_u64(to, (uint64_t)m->expires_wall_s);
    buf_u64(to, m->bad_lines);
    buf_u64(to, m->digest.hi);
    buf_u64(to, m->digest.lo);
    buf_u64(to, m->journal_bytes);
    buf_u64(to, 0);
    buf_u64(to, 0);
}
_Static_assert(4 + 2 + 2 + 4 + 8 * 13 == ZONE_RECORD, "the fields of meta_write_zone");

int meta_read_zone(struct meta *m, struct bytes record, struct err *err) {
    struct scan s = scan_of(record);
    if (scan_u32(&s) != META_MAGIC || s.failed)
        return err_set(err, E_CORRUPT, "meta: is no zone of Candor");
    unsigned format = scan_u16(&s);
    if (format < META_FORMAT_OLDEST || format > META_FORMAT)
        return err_set(err, E_UNSUPPORTED, "meta: zone format %u, this version reads %d to %d", format,
                       META_FORMAT_OLDEST, META_FORMAT);
    m->format = format;
    (void)scan_u16(&s);
    m->serial = scan_u32(&s);
    m->commits = scan_u64(&s);
    for (unsigned i = 0; i < ARRAY_SIZE(m->entries); i++)
        m->entries[i] = scan_u64(&s);
    m->changed_wall_s = (int64_t)scan_u64(&s);
    m->timestamp_wall_s = (int64_t)scan_u64(&s);
    m->expires_wall_s = (int64_t)scan_u64(&s);
    m->bad_lines = scan_u64(&s);
    m->digest.hi = scan_u64(&s);
    m->digest.lo = scan_u64(&s);
    m->journal_bytes = scan_u64(&s);
    if (s.failed || record.size != ZONE_RECORD || m->commits == 0)
        return err_set(err, E_CORRUPT, "meta: the zone's record is damaged");
    return 0;
}

static void write_name(struct buf *to, const struct name *n) {
    buf_u8(to, n->size);
    buf_put(to, n->wire, n->size);
}

/* A name in wire form, checked label by label. */
static void read_name(struct scan *s, struct name *n) {
    n->size = scan_u8(s);
    n->labels = 0;
    const uint8_t *wire = scan_take(s, n->size);
    unsigned at = 0;
    if (wire == NULL)
        return;
    while (at < n->size && wire[at] != 0 && wire[at] <= 63) {
        at += wire[at] + 1u;
        n->labels++;
    }
    if (at + 1u != n->size || n->labels > LIMIT_LABELS)
        s->failed = true;
    else
        memcpy(n->wire, wire, n->size);
}

static void write_top(struct buf *to, const struct view_apex *a) {
    buf_u32(to, a->ttl);
    buf_u32(to, a->soa_ttl);
    buf_u32(to, a->ns_ttl);
    write_name(to, &a->soa.primary);
    write_name(to, &a->soa.contact);
    buf_u32(to, a->soa.refresh);
    buf_u32(to, a->soa.retry);
    buf_u32(to, a->soa.expire);
    buf_u32(to, a->soa.minimum);
    buf_u8(to, a->ns_count);
    for (unsigned i = 0; i < a->ns_count; i++)
        write_name(to, &a->ns[i]);
}

bool apex_same(const struct view_apex *a, const struct view_apex *b) {
    struct buf x = {0}, y = {0};
    write_top(&x, a);
    write_top(&y, b);
    bool same = !x.failed && !y.failed && x.size == y.size && memcmp(x.at, y.at, x.size) == 0;
    buf_free(&x);
    buf_free(&y);
    return same;
}

void meta_write_apex(struct buf *to, const struct meta *m) {
    buf_u8(to, m->dataset_count);
    for (unsigned i = 0; i < m->dataset_count; i++) {
        const struct dataset *d = &m->dataset[i];
        buf_u8(to, d->type);
        buf_u32(to, d->ttl);
        buf_u8(to, d->sub_count);
        if (d->sub_count > 0)
            buf_u8(to, d->source);
        for (unsigned n = 0; n < d->sub_count; n++)
            write_name(to, &d->sub[n]);
    }
    write_top(to, &m->apex);
}

static int read_dataset(struct meta *m, unsigned i, struct scan *s) {
    struct dataset *d = &m->dataset[i];
    uint8_t type = scan_u8(s);
    d->type = (enum conf_dataset_type)type;
    d->ttl = scan_u32(s);
    d->sub_count = m->format > 1 ? scan_u8(s) : 0;
    d->source = d->sub_count > 0 ? scan_u8(s) : 0;
    d->sub = m->sub[i];
    if (type >= DATASET_TYPES || d->sub_count > DATASET_SUBS)
        return E_CORRUPT;
    for (unsigned n = 0; n < d->sub_count; n++)
        read_name(s, &m->sub[i][n]);
    return s->failed ? E_CORRUPT : 0;
}

int meta_read_apex(struct meta *m, struct bytes record, struct err *err) {
    struct view_apex *a = &m->apex;
    struct scan s = scan_of(record);
    m->dataset_count = scan_u8(&s);
    if (m->dataset_count > DATASET_LOCAL)
        return err_set(err, E_CORRUPT, "meta: %u datasets, at most %d", m->dataset_count, DATASET_LOCAL);
    for (unsigned i = 0; i < m->dataset_count; i++)
        if (read_dataset(m, i, &s) < 0)
            return err_set(err, E_CORRUPT, "meta: dataset %u is damaged", i);
    a->ttl = scan_u32(&s);
    a->soa_ttl = scan_u32(&s);
    a->ns_ttl = scan_u32(&s);
    read_name(&s, &a->soa.primary);
    read_name(&s, &a->soa.contact);
    a->soa.refresh = scan_u32(&s);
    a->soa.retry = scan_u32(&s);
    a->soa.expire = scan_u32(&s);
    a->soa.minimum = scan_u32(&s);
    a->ns_count = scan_u8(&s);
    if (a->ns_count > META_NS_MAX)
        return err_set(err, E_CORRUPT, "meta: %u name servers, at most %d", a->ns_count, META_NS_MAX);
    for (unsigned i = 0; i < a->ns_count; i++)
        read_name(&s, &a->ns[i]);
    if (s.failed || s.left != 0)
        return err_set(err, E_CORRUPT, "meta: the apex record is damaged");
    a->serial = a->soa.serial = m->serial;
    a->expires_wall_s = m->expires_wall_s;
    a->entries = meta_entries(m);
    return 0;
}

/* How many (kind, length) follow, then each with its count; what is not there is 0. */
static void write_counts(struct buf *to, const struct counts *c) {
    unsigned present = 0;
    for (unsigned k = 0; k < COUNT_KINDS; k++)
        for (unsigned l = 0; l < COUNT_LENGTHS; l++)
            present += c->n[k][l] != 0;
    buf_varint(to, present);
    for (unsigned k = 0; k < COUNT_KINDS; k++)
        for (unsigned l = 0; l < COUNT_LENGTHS; l++)
            if (c->n[k][l] != 0) {
                buf_u8(to, k);
                buf_u8(to, l);
                buf_varint(to, c->n[k][l]);
            }
}

void meta_write_counts(struct buf *to, const struct meta *m) {
    for (unsigned d = 0; d < m->dataset_count; d++)
        write_counts(to, &m->counts[d]);
    write_counts(to, &m->counts[DATASET_LOCAL]);
}

static int read_counts(struct scan *s, struct counts *c) {
    uint64_t present = scan_varint(s);
    memset(c, 0, sizeof *c);
    if (present > COUNT_KINDS * COUNT_LENGTHS)
        return E_CORRUPT;
    for (uint64_t i = 0; i < present; i++) {
        uint8_t kind = scan_u8(s), length = scan_u8(s);
        uint64_t n = scan_varint(s);
        if (kind >= COUNT_KINDS || length >= COUNT_LENGTHS || n == 0)
            return E_CORRUPT;
        c->n[kind][length] = n;
    }
    return s->failed ? E_CORRUPT : 0;
}

int meta_read_counts(struct meta *m, struct bytes record, struct err *err) {
    struct scan s = scan_of(record);
    for (unsigned d = 0; d < m->dataset_count; d++)
        if (read_counts(&s, &m->counts[d]) < 0)
            return err_set(err, E_CORRUPT, "meta: the counts of dataset %u are damaged", d);
    if (m->format > 1 && read_counts(&s, &m->counts[DATASET_LOCAL]) < 0)
        return err_set(err, E_CORRUPT, "meta: the counts of the local entries are damaged");
    return s.left != 0 ? err_set(err, E_CORRUPT, "meta: the counts are damaged") : 0;
}

void meta_copy(struct meta *to, const struct meta *from) {
    memcpy(to, from, offsetof(struct meta, sub));
    for (unsigned i = 0; i < from->dataset_count; i++) {
        memcpy(to->sub[i], from->sub[i], from->dataset[i].sub_count * sizeof to->sub[i][0]);
        to->dataset[i].sub = to->sub[i];
    }
    to->apex = from->apex;
    memcpy(to->counts, from->counts, from->dataset_count * sizeof to->counts[0]);
    to->counts[DATASET_LOCAL] = from->counts[DATASET_LOCAL];
}

bool meta_has_local(const struct meta *m) {
    for (unsigned k = 0; k < COUNT_KINDS; k++)
        for (unsigned l = 0; l < COUNT_LENGTHS; l++)
            if (m->counts[DATASET_LOCAL].n[k][l] != 0)
                return true;
    return false;
}

void meta_add_local(struct meta *to, const struct meta *from) {
    const struct counts *c = &from->counts[DATASET_LOCAL];
    to->counts[DATASET_LOCAL] = *c;
    for (unsigned k = 0; k < COUNT_KINDS; k++)
        for (unsigned l = 0; l < COUNT_LENGTHS; l++)
            to->entries[k < COUNT_EXACT ? k : 2] += c->n[k][l];
}

static int name_of(struct name *to, const char *text, const char *fallback, struct err *err) {
    int rc = name_from_text(to, text != NULL && text[0] != '\0' ? text : fallback, err);
    if (rc == 0)
        name_lower(to);
    return rc;
}

static int soa_of_conf(struct view_apex *a, const struct conf_zone *zone, struct err *err) {
    const struct conf_soa *c = &zone->soa;
    int rc = name_of(&a->soa.primary, c->primary, zone->name, err);
    if (rc == 0)
        rc = name_of(&a->soa.contact, c->contact, zone->name, err);
    a->soa.refresh = c->refresh_s;
    a->soa.retry = c->retry_s;
    a->soa.expire = c->expire_s;
    a->soa.minimum = c->minimum_s;
    a->soa_ttl = c->minimum_s;
    return rc;
}

static int take_datasets(struct meta *m, const struct data *d, struct err *err) {
    m->dataset_count = d->dataset_count;
    for (unsigned i = 0; i < d->dataset_count; i++) {
        const struct dataset *from = &d->dataset[i];
        if (from->sub_count > DATASET_SUBS)
            return err_set(err, E_RANGE, "dataset %u is attached at %u subzones, at most %d", i, from->sub_count,
                           DATASET_SUBS);
        m->dataset[i] = *from;
        m->dataset[i].sub = m->sub[i];
        for (unsigned n = 0; n < from->sub_count; n++)
            m->sub[i][n] = from->sub[n];
    }
    return 0;
}

bool meta_apex_changed(const struct meta *was, const struct meta *is) {
    struct buf a = {0}, b = {0};
    meta_write_apex(&a, was);
    meta_write_apex(&b, is);
    bool same = !a.failed && !b.failed && a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
    buf_free(&a);
    buf_free(&b);
    return !same;
}

int meta_take_apex(struct meta *m, const struct data *d, const struct conf_zone *zone, struct err *err) {
    enum { TTL_OF_RBLDNSD = 2100 };
    struct view_apex *a = &m->apex;
    int rc = 0;
    memset(a, 0, sizeof *a);
    rc = take_datasets(m, d, err);
    if (rc < 0)
        return rc;
    a->ttl = d->ttl != 0 ? d->ttl : zone->ttl_s != 0 ? zone->ttl_s : TTL_OF_RBLDNSD;
    a->soa = d->soa;
    a->soa_ttl = d->soa_ttl;
    if (!d->has_soa)
        rc = soa_of_conf(a, zone, err);
    a->soa.serial = 0;
    a->ns_ttl = d->ns_count > 0 ? d->ns_ttl : a->ttl;
    a->ns_count = d->ns_count < META_NS_MAX ? d->ns_count : META_NS_MAX;
    memcpy(a->ns, d->ns, a->ns_count * sizeof a->ns[0]);
    for (size_t i = 0; d->ns_count == 0 && i < zone->ns.count && i < META_NS_MAX && rc == 0; i++) {
        rc = name_of(&a->ns[i], zone->ns.at[i], zone->name, err);
        a->ns_count++;
    }
    return rc;
}

int meta_labels(const uint8_t *reversed, size_t size, unsigned *labels) {
    size_t at = 0;
    unsigned n = 0;
    while (at < size && reversed[at] >= 1 && reversed[at] <= 63) {
        at += reversed[at] + 1u;
        n++;
    }
    *labels = n;
    return at == size && n <= LIMIT_LABELS && size < LIMIT_NAME_WIRE ? 0 : E_INVALID;
}

static bool known(const struct data *d, unsigned dataset, uint32_t value) {
    return (dataset < d->dataset_count || dataset == DATASET_LOCAL) && value < d->value_count;
}

int meta_count(struct meta *m, const struct data *d, struct err *err) {
    memset(m->counts, 0, sizeof m->counts);
    for (size_t i = 0; i < d->n4; i++) {
        const struct entry4 *e = &d->e4[i];
        if (!known(d, e->dataset, e->value) || e->bits > 32)
            return err_set(err, E_INVALID, "IPv4 entry %zu belongs to no dataset or value", i);
        m->counts[e->dataset].n[COUNT_4][e->bits]++;
    }
    for (size_t i = 0; i < d->n6; i++) {
        const struct entry6 *e = &d->e6[i];
        if (!known(d, e->dataset, e->value) || e->bits > 128)
            return err_set(err, E_INVALID, "IPv6 entry %zu belongs to no dataset or value", i);
        m->counts[e->dataset].n[COUNT_6][e->bits]++;
    }
    for (size_t i = 0; i < d->nn; i++) {
        const struct entry_name *e = &d->en[i];
        unsigned labels;
        if (!known(d, e->dataset, e->value) || meta_labels(e->name, e->size, &labels) < 0)
            return err_set(err, E_INVALID, "name entry %zu is no name or belongs to no dataset or value", i);
        m->counts[e->dataset].n[e->wildcard ? COUNT_WILDCARD : COUNT_EXACT][labels]++;
    }
    m->entries[0] = d->n4;
    m->entries[1] = d->n6;
    m->entries[2] = d->nn;
    return 0;
}

void meta_write_value(struct buf *to, struct uses uses, const struct value *v) {
    buf_u32(to, uses.local);
    buf_u32(to, uses.files);
    value_put(to, v);
}

int meta_read_value(struct bytes record, struct uses *uses, struct value *v) {
    struct scan s = scan_of(record);
    uses->local = scan_u32(&s);
    uses->files = scan_u32(&s);
    return s.failed || uses_none(*uses) ? E_CORRUPT : value_take((struct bytes){s.at, s.left}, v);
}
