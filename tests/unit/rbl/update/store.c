#include "tests/unit/rbl/update/store.h"

#include <arpa/inet.h>

#include "resolver/dns/writer.h"

/* --- the store */

static bool same_place(const struct keep_entry *a, const struct keep_entry *b) {
    if (a->kind != b->kind || a->bits != b->bits)
        return false;
    if (a->kind == KEEP_NAME)
        return a->name.size == b->name.size && memcmp(a->name.wire, b->name.wire, a->name.size) == 0;
    return memcmp(a->addr, b->addr, a->kind == KEEP_4 ? 4 : 16) == 0;
}

static bool same_value(const struct value *a, const struct value *b) {
    return a->kind == b->kind && a->type == b->type && memcmp(a->a, b->a, 4) == 0 && a->has_txt == b->has_txt &&
           a->ttl == b->ttl && a->txt_size == b->txt_size && memcmp(a->txt, b->txt, a->txt_size) == 0;
}

static bool is_local(const struct keep_entry *e) { return e->dataset == DATASET_LOCAL; }

static int local_exclusion(const struct keep_batch *b, const struct keep_entry *at) {
    for (unsigned i = 0; i < b->count; i++)
        if (is_local(&b->e[i]) && b->e[i].excluded && same_place(&b->e[i], at))
            return (int)i;
    return -1;
}

static void drop(struct keep_batch *b, unsigned i) { b->e[i] = b->e[--b->count]; }

static void put(struct keep_batch *b, const struct keep_entry *e) {
    assert_true(b->count < STORE_ENTRIES);
    b->e[b->count++] = *e;
}

const struct view_apex *keep_batch_apex(const struct keep_batch *b) { return b->has_apex ? &b->apex : NULL; }

int keep_batch_at(struct keep_batch *b, const struct keep_entry *at, struct keep_entry *found, unsigned cap,
                  unsigned *count, struct err *err) {
    bool silenced = local_exclusion(b, at) >= 0;
    (void)err;
    *count = 0;
    for (unsigned i = 0; i < b->count; i++) {
        const struct keep_entry *e = &b->e[i];
        if (!same_place(e, at) || e->excluded || (silenced && !is_local(e)))
            continue;
        if (*count < cap)
            found[*count] = *e;
        ++*count;
    }
    return 0;
}

int keep_batch_add(struct keep_batch *b, const struct keep_entry *e, struct err *err) {
    bool silenced = local_exclusion(b, e) >= 0;
    if (++b->edits == (unsigned)b->fail_at)
        return err_set(err, E_FULL, "full");
    for (unsigned i = 0; i < b->count; i++)
        if (same_place(&b->e[i], e) && !b->e[i].excluded && same_value(&b->e[i].value, &e->value) &&
            (is_local(&b->e[i]) || !silenced))
            return 0;
    put(b, e);
    b->e[b->count - 1].dataset = DATASET_LOCAL;
    return 0;
}

static void put_local(struct keep_batch *b, struct keep_entry e) {
    e.dataset = DATASET_LOCAL;
    put(b, &e);
}

/* The files' values here give way to an exclusion; those that are to stay become local ones. */
static void exclude(struct keep_batch *b, const struct keep_entry *at, const struct value *gone) {
    struct keep_entry x = *at;
    unsigned count = b->count;
    for (unsigned i = 0; i < count; i++)
        if (same_place(&b->e[i], at) && !is_local(&b->e[i]) && !b->e[i].excluded && gone != NULL &&
            !same_value(&b->e[i].value, gone))
            put_local(b, b->e[i]);
    x.excluded = true;
    x.dataset = DATASET_LOCAL;
    memset(&x.value, 0, sizeof x.value);
    put(b, &x);
}

int keep_batch_remove(struct keep_batch *b, const struct keep_entry *e, bool any_value, struct err *err) {
    bool files = false;
    if (++b->edits == (unsigned)b->fail_at)
        return err_set(err, E_FULL, "full");
    for (unsigned i = b->count; i-- > 0;) {
        if (!same_place(&b->e[i], e) || b->e[i].excluded || !(any_value || same_value(&b->e[i].value, &e->value)))
            continue;
        if (is_local(&b->e[i]))
            drop(b, i);
        else
            files = true;
    }
    if (files && local_exclusion(b, e) < 0)
        exclude(b, e, any_value ? NULL : &e->value);
    return 0;
}

/* --- entries as text */

static void take_name(struct keep_entry *e, const char *text) {
    char dotted[300];
    e->kind = KEEP_NAME;
    e->bits = text[0] == '*';
    text += e->bits;
    (void)snprintf(dotted, sizeof dotted, "%s.", strcmp(text, "@") == 0 ? "" : text);
    assert_int_equal(name_from_text(&e->name, dotted, NULL), 0);
}

static void take_place(struct keep_entry *e, const char *text) {
    char host[100];
    const char *slash = strchr(text, '/');
    if (slash == NULL) {
        take_name(e, text);
        return;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
    e->kind = strchr(host, ':') != NULL ? KEEP_6 : KEEP_4;
    e->bits = (uint8_t)strtoul(slash + 1, NULL, 10);
    assert_int_equal(inet_pton(e->kind == KEEP_6 ? AF_INET6 : AF_INET, host, e->addr), 1);
}

static void take_text(struct value *v, const char *text) {
    v->has_txt = true;
    for (; *text != '\0'; text++) {
        bool literal = text[0] == '\\' && text[1] == '$';
        text += literal;
        v->txt[v->txt_size++] = literal ? '\0' : *text;
    }
}

static void take_value(struct value *v, char *rest) {
    char *save = NULL, *word = strtok_r(rest, " ", &save);
    assert_non_null(word);
    if (strchr(word, '.') != NULL) {
        assert_int_equal(inet_pton(AF_INET, word, v->a), 1);
        char *text = strtok_r(NULL, "", &save);
        if (text != NULL && text[0] >= '0' && text[0] <= '9') {
            v->ttl = (uint32_t)strtoul(text, &text, 10);
            text = *text == ' ' ? text + 1 : NULL;
        }
        if (text != NULL)
            take_text(v, text);
        return;
    }
    v->kind = VALUE_RR;
    v->ttl = (uint32_t)strtoul(word, NULL, 10);
    v->type = (uint16_t)strtoul(strtok_r(NULL, " ", &save) + 4, NULL, 10);
    word = strtok_r(NULL, " ", &save);
    for (; word != NULL && word[0] != '\0'; word += 2) {
        unsigned octet;
        assert_int_equal(sscanf(word, "%2x", &octet), 1);
        v->txt[v->txt_size++] = (char)octet;
    }
}

void store_fill(struct keep_batch *b, const char *entries) {
    char *copy = strdup(entries), *save = NULL;
    memset(b, 0, sizeof *b);
    b->has_apex = true;
    b->apex.serial = 7;
    b->apex.soa = (struct dns_soa){.serial = 7, .refresh = 2, .retry = 3, .expire = 4, .minimum = 5};
    b->apex.ns_count = 2;
    assert_int_equal(name_from_text(&b->apex.soa.primary, "ns.list.example.", NULL), 0);
    assert_int_equal(name_from_text(&b->apex.soa.contact, "host.list.example.", NULL), 0);
    assert_int_equal(name_from_text(&b->apex.ns[0], "a.", NULL), 0);
    assert_int_equal(name_from_text(&b->apex.ns[1], "b.", NULL), 0);
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        struct keep_entry e = {.dataset = DATASET_LOCAL};
        if (strncmp(line, "file ", 5) == 0) {
            e.dataset = 0;
            line += 5;
        }
        e.excluded = line[0] == '!';
        line += e.excluded;
        char *blank = strchr(line, ' ');
        if (blank != NULL)
            *blank = '\0';
        take_place(&e, line);
        if (!e.excluded)
            take_value(&e.value, blank + 1);
        put(b, &e);
    }
    free(copy);
}

static void show_place(char *to, const struct keep_entry *e) {
    char text[NAME_TEXT_MAX];
    if (e->kind == KEEP_NAME) {
        size_t n = strlen(name_text(&e->name, text));
        if (n > 1)
            text[n - 1] = '\0';
        (void)sprintf(to, "%s%s", e->bits ? "*" : "", n > 1 ? text : "@");
    } else {
        (void)inet_ntop(e->kind == KEEP_4 ? AF_INET : AF_INET6, e->addr, text, sizeof text);
        (void)sprintf(to, "%s/%u", text, e->bits);
    }
}

static void show_value(char *to, const struct value *v) {
    char a[20];
    if (v->kind == VALUE_RR) {
        to += sprintf(to, " %u TYPE%u ", v->ttl, v->type);
        for (unsigned i = 0; i < v->txt_size; i++)
            to += sprintf(to, "%02x", (uint8_t)v->txt[i]);
        return;
    }
    to += sprintf(to, " %s", inet_ntop(AF_INET, v->a, a, sizeof a));
    if (v->ttl != 0)
        to += sprintf(to, " %u", v->ttl);
    if (v->has_txt)
        *to++ = ' ';
    for (unsigned i = 0; i < v->txt_size; i++) {
        if (v->txt[i] == '\0')
            *to++ = '\\';
        *to++ = v->txt[i] == '\0' ? '$' : v->txt[i];
    }
    *to = '\0';
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

const char *store_text(const struct keep_batch *b) {
    static char line[STORE_ENTRIES][2600], all[STORE_ENTRIES * 200];
    for (unsigned i = 0; i < b->count; i++) {
        const struct keep_entry *e = &b->e[i];
        (void)sprintf(line[i], "%s%s", is_local(e) ? "" : "file ", e->excluded ? "!" : "");
        show_place(line[i] + strlen(line[i]), e);
        if (!e->excluded)
            show_value(line[i] + strlen(line[i]), &e->value);
    }
    qsort(line, b->count, sizeof line[0], by_text);
    all[0] = '\0';
    for (unsigned i = 0; i < b->count; i++) {
        assert_true(strlen(all) + strlen(line[i]) + 2 < sizeof all);
        strcat(all, line[i]);
        if (i + 1 < b->count)
            strcat(all, "\n");
    }
    return all;
}

/* --- messages as text */

static void absolute(struct name *n, const char *text) {
    char dotted[600];
    size_t size = strlen(text);
    bool whole = text[size - 1] == '.';
    (void)snprintf(dotted, sizeof dotted, "%s%s", strcmp(text, "@") == 0 ? "" : text,
                   whole                    ? ""
                   : strcmp(text, "@") == 0 ? "list.example."
                                            : ".list.example.");
    assert_int_equal(name_from_text(n, dotted, NULL), 0);
}

static size_t name_rdata(uint8_t *to, const char *text) {
    struct name n;
    absolute(&n, text);
    memcpy(to, n.wire, n.size);
    return n.size;
}

static size_t txt_rdata(uint8_t *to, const char *text) {
    size_t size = 0;
    for (const char *at = strchr(text, '"'); at != NULL; at = strchr(at, '"')) {
        const char *end = strchr(at + 1, '"');
        assert_non_null(end);
        to[size] = (uint8_t)(end - at - 1);
        memcpy(to + size + 1, at + 1, to[size]);
        size += 1 + (size_t)to[size];
        at = end + 1;
    }
    return size;
}

static size_t rdata_of(uint8_t *to, int type, char *text) {
    char a[200], b[200];
    unsigned n[5];
    switch (type) {
    case TYPE_A:
        assert_int_equal(inet_pton(AF_INET, text, to), 1);
        return 4;
    case TYPE_AAAA:
        assert_int_equal(inet_pton(AF_INET6, text, to), 1);
        return 16;
    case TYPE_TXT:
        return txt_rdata(to, text);
    case TYPE_NS:
    case TYPE_CNAME:
        return name_rdata(to, text);
    case TYPE_MX:
        assert_int_equal(sscanf(text, "%u %199s", n, a), 2);
        put_u16(to, (uint16_t)n[0]);
        return 2 + name_rdata(to + 2, a);
    case TYPE_SOA: {
        assert_int_equal(sscanf(text, "%199s %199s %u %u %u %u %u", a, b, n, n + 1, n + 2, n + 3, n + 4), 7);
        size_t size = name_rdata(to, a);
        size += name_rdata(to + size, b);
        for (int i = 0; i < 5; i++, size += 4)
            put_u32(to + size, n[i]);
        return size;
    }
    default:
        fail_msg("no RDATA of type %d", type);
        return 0;
    }
}

static size_t hex_rdata(uint8_t *to, const char *hex) {
    size_t size = 0;
    unsigned octet;
    for (; hex != NULL && sscanf(hex, "%2x", &octet) == 1; hex += 2)
        to[size++] = (uint8_t)octet;
    return size;
}

static unsigned klass_of(const char *text) {
    return strcmp(text, "IN") == 0 ? 1 : strcmp(text, "ANY") == 0 ? 255 : strcmp(text, "NONE") == 0 ? 254 : 3;
}

static int section_of(const char *verb, const char *raw) {
    bool update = strcmp(verb, "add") == 0 || strcmp(verb, "del") == 0 || (strcmp(verb, "raw") == 0 && raw[0] == 'u');
    return update ? SECTION_AUTHORITY : SECTION_ANSWER;
}

static void put_line(struct dns_writer *w, char *line) {
    char *save = NULL, *verb = strtok_r(line, " ", &save), *word = strtok_r(NULL, " ", &save);
    static uint8_t rdata[65536];
    int section = section_of(verb, word);
    bool raw = strcmp(verb, "raw") == 0, adds = strcmp(verb, "add") == 0;
    struct name n;
    if (raw)
        word = strtok_r(NULL, " ", &save);
    absolute(&n, word);
    unsigned klass = adds ? CLASS_IN : verb[0] == 'n' ? CLASS_NONE : CLASS_ANY;
    if (raw)
        klass = klass_of(strtok_r(NULL, " ", &save));
    uint32_t ttl = adds ? (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 10) : 0;
    word = strtok_r(NULL, " ", &save);
    int type = word == NULL ? TYPE_ANY : dns_type_from_text(word);
    assert_true(type >= 0);
    if (raw)
        ttl = (uint32_t)strtoul(strtok_r(NULL, " ", &save), NULL, 10);
    word = word == NULL ? NULL : strtok_r(NULL, "", &save);
    size_t size = word == NULL ? 0 : raw ? hex_rdata(rdata, word) : rdata_of(rdata, type, word);
    if (!raw && !adds && word != NULL)
        klass = strcmp(verb, "del") == 0 ? CLASS_NONE : CLASS_IN;
    dns_writer_rr(w, (enum dns_section)section, &n, (uint16_t)type, (uint16_t)klass, ttl, (struct bytes){rdata, size});
}

size_t message(uint8_t *to, size_t cap, const char *lines) {
    char *copy = strdup(lines), *save = NULL;
    struct dns_writer w;
    struct name zone;
    absolute(&zone, "@");
    dns_writer_open(&w, to, cap, 0x1234, 0, OPCODE_UPDATE);
    dns_writer_question(&w, &zone, TYPE_SOA, CLASS_IN);
    for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        put_line(&w, line);
    free(copy);
    int size = dns_writer_end(&w, 0, 0);
    assert_true(size > 0);
    return (size_t)size;
}
