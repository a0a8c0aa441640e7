/* Taking texts, paths, names and addresses, one and in lists (conf_take.h). */
#include <stdio.h>
#include <string.h>

#include "resolver/base/conf_take.h"
#include "resolver/base/text.h"

static bool there(const struct conf_reader *r, const char *key, const char *raw) {
    return r->rc == E_OK && raw != NULL && (key == NULL || conf_given(r, key));
}

static const char *keep(struct conf_reader *r, const char *text, size_t size) {
    const char *copy = arena_text(r->arena, text, size);
    if (copy != NULL)
        return copy;
    if (r->rc == E_OK)
        r->rc = err_set(r->err, E_NOMEM, "%s: no memory", r->label);
    return "";
}

const char *conf_take_text(struct conf_reader *r, const char *key, const char *raw, const char *fallback) {
    return there(r, key, raw) ? keep(r, raw, strlen(raw)) : fallback;
}

const char *conf_take_path(struct conf_reader *r, const char *key, const char *raw, const char *fallback) {
    char path[LIMIT_CONF_TEXT * 2];
    int n;
    if (!there(r, key, raw))
        raw = fallback;
    if (*raw == '\0' || *raw == '/' || r->rc != E_OK)
        return keep(r, raw, strlen(raw));
    n = snprintf(path, sizeof(path), "%s/%s", strcmp(r->base_dir, "/") == 0 ? "" : r->base_dir, raw);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        conf_fail(r, E_RANGE, key, "a path of less than %zu bytes", sizeof(path));
        return fallback;
    }
    return keep(r, path, (size_t)n);
}

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/';
}

/* RFC 1035 section 2.3.4, on text without escapes: labels of 1 to 63 bytes, 255 on the wire. */
static const char *name_fault(const char *name, size_t size) {
    size_t label = 0;
    if (size == 1 && name[0] == '.')
        return NULL;
    if (size + 1 > LIMIT_NAME_WIRE)
        return "a name of at most 255 bytes";
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '.' && label == 0)
            return "a name without empty labels";
        if (name[i] != '.' && !name_char(name[i]))
            return "a name of letters, digits, - and _ (others in their ASCII form, xn--)";
        label = name[i] == '.' ? 0 : label + 1;
        if (label > 63)
            return "a name whose labels have at most 63 bytes";
    }
    return NULL;
}

/* Lower-case, with the final dot, into `to`. */
static bool normal_name(struct conf_reader *r, const char *key, const char *raw, char to[LIMIT_NAME_WIRE + 2],
                        size_t *size) {
    size_t n = strlen(raw);
    const char *fault = "a domain name such as example.com.";
    if (n > 0 && n < LIMIT_NAME_WIRE) {
        for (size_t i = 0; i < n; i++)
            to[i] = (char)(raw[i] >= 'A' && raw[i] <= 'Z' ? raw[i] + ('a' - 'A') : raw[i]);
        if (to[n - 1] != '.')
            to[n++] = '.';
        to[n] = '\0';
        fault = name_fault(to, n);
    }
    if (fault != NULL)
        conf_fail(r, E_INVALID, key, "%s", fault);
    *size = n;
    return fault == NULL;
}

const char *conf_take_name(struct conf_reader *r, const char *key, const char *raw, const char *fallback) {
    char name[LIMIT_NAME_WIRE + 2];
    size_t size;
    if (!there(r, key, raw) || (*raw == '\0' && fallback[0] == '\0' && key != NULL))
        return fallback;
    return normal_name(r, key, raw, name, &size) ? keep(r, name, size) : fallback;
}

const char *conf_take_tls_name(struct conf_reader *r, const char *key, const char *raw) {
    char name[LIMIT_NAME_WIRE + 2];
    size_t size;
    if (!there(r, key, raw) || *raw == '\0')
        return "";
    if (!normal_name(r, key, raw, name, &size))
        return "";
    if (size == 1)
        conf_fail(r, E_INVALID, key, "the name that the certificate must say");
    return keep(r, name, size - 1);
}

const char *conf_take_key_name(struct conf_reader *r, const char *key, const char *raw) {
    const char *name = conf_take_name(r, key, raw, "");
    if (*name == '\0')
        return name;
    for (size_t i = 0; i < r->conf->rbl.key_count; i++)
        if (strcmp(r->conf->rbl.keys[i].name, name) == 0)
            return name;
    conf_later(r, key, "names no entry of rbl.keys; nothing that needs this key will be done");
    return name;
}

void conf_take_addr(struct conf_reader *r, const char *key, const char *raw, uint16_t port, struct addr *to) {
    memset(to, 0, sizeof(*to));
    if (there(r, key, raw) && addr_parse(to, raw, port, NULL) != E_OK)
        conf_fail(
            r, E_INVALID, key,
            "ADDRESS%s such as 192.0.2.1@53 or 2001:db8::1@53, port 1 to 65535 (no host name: it would have to be "
            "looked up in DNS, which may be what is broken)",
            port == 0 ? "@PORT" : "[@PORT]");
}

void conf_take_prefix(struct conf_reader *r, const char *key, const char *raw, struct prefix *to) {
    memset(to, 0, sizeof(*to));
    if (there(r, key, raw) && prefix_parse(to, raw, NULL) != E_OK)
        conf_fail(r, E_INVALID, key,
                  "a network such as 192.0.2.0/24 or 2001:db8::/32 with no bits set behind its length, or an address "
                  "(no host name: it would have to be looked up in DNS)");
}

/* What a list is made of: the texts of the file, or the fallback's. */
struct texts {
    const char *const *at;
    size_t count;
    bool given;
};

static struct texts texts_of(struct conf_reader *r, const char *key, struct conf_raw_list raw,
                             const char *const *fallback) {
    struct texts t = {.at = (const char *const *)raw.at, .count = raw.count, .given = conf_given(r, key)};
    if (t.given || fallback == NULL)
        return t;
    t.at = fallback;
    for (t.count = 0; fallback[t.count] != NULL;)
        t.count++;
    return t;
}

struct conf_list_addr conf_take_addrs(struct conf_reader *r, const char *key, struct conf_raw_list raw, uint16_t port,
                                      const char *const *fallback) {
    struct texts t = texts_of(r, key, raw, fallback);
    struct conf_list_addr list = {.at = conf_array(r, t.count, sizeof(struct addr))};
    char text[ADDR_TEXT_MAX];
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        conf_take_addr(r, NULL, t.at[i], port, &list.at[i]);
        for (size_t j = 0; j < i && r->rc == E_OK; j++)
            if (addr_same(&list.at[i], &list.at[j]))
                conf_fail(r, E_INVALID, NULL, "each address once (%s is in the list already)",
                          addr_text(&list.at[i], text));
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}

struct conf_list_addr conf_take_hosts(struct conf_reader *r, const char *key, struct conf_raw_list raw) {
    struct texts t = texts_of(r, key, raw, NULL);
    struct conf_list_addr list = {.at = conf_array(r, t.count, sizeof(struct addr))};
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        /* A source port that never changes makes forged answers easy (RFC 5452). */
        if (strchr(t.at[i], '@') != NULL)
            conf_fail(r, E_INVALID, NULL, "an address without a port: each query takes another one");
        conf_take_addr(r, NULL, t.at[i], 1, &list.at[i]);
        addr_set_port(&list.at[i], 0);
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}

struct conf_list_prefix conf_take_prefixes(struct conf_reader *r, const char *key, struct conf_raw_list raw,
                                           const char *const *fallback) {
    struct texts t = texts_of(r, key, raw, fallback);
    struct conf_list_prefix list = {.at = conf_array(r, t.count, sizeof(struct prefix))};
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        conf_take_prefix(r, NULL, t.at[i], &list.at[i]);
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}

struct conf_list_text conf_take_names(struct conf_reader *r, const char *key, struct conf_raw_list raw) {
    struct texts t = texts_of(r, key, raw, NULL);
    struct conf_list_text list = {.at = conf_array(r, t.count, sizeof(char *))};
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        list.at[i] = conf_take_name(r, NULL, t.at[i], "");
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}

struct conf_list_text conf_take_texts(struct conf_reader *r, const char *key, struct conf_raw_list raw) {
    struct texts t = texts_of(r, key, raw, NULL);
    struct conf_list_text list = {.at = conf_array(r, t.count, sizeof(char *))};
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        list.at[i] = conf_take_text(r, NULL, t.at[i], "");
        if (list.at[i][0] == '\0')
            conf_fail(r, E_INVALID, NULL, "a text");
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}

struct conf_list_text conf_take_paths(struct conf_reader *r, const char *key, struct conf_raw_list raw,
                                      const char *const *fallback) {
    struct texts t = texts_of(r, key, raw, fallback);
    struct conf_list_text list = {.at = conf_array(r, t.count, sizeof(char *))};
    conf_enter(r, key);
    for (size_t i = 0; i < t.count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        list.at[i] = conf_take_path(r, NULL, t.at[i], t.at[i]);
        conf_leave(r);
        list.count++;
    }
    conf_leave(r);
    return list;
}
