#include "rbl/records/text.h"

#include "rbl/records/impl.h"
#include "resolver/base/text.h"

size_t records_text_addr(char to[NAME_TEXT_MAX], bool is4, read_addr a) {
    uint8_t addr[16];
    read_addr_put(a, addr);
    return is4 ? text_addr4(to, get_u32(addr)) : text_addr6(to, addr);
}

/* A name as rbldnsd writes it: brackets as they are. */
size_t records_text_name(char to[NAME_TEXT_MAX], struct bytes path) {
    char text[NAME_TEXT_MAX];
    size_t size = 0;
    text_name(text, sizeof text, path.at, path.size, false);
    for (const char *c = text; *c != '\0'; c++)
        if (c[0] != '\\' || (c[1] != '(' && c[1] != ')'))
            to[size++] = *c;
    return size;
}

size_t records_own_text(const struct records_key *k, const struct name *n, char to[NAME_TEXT_MAX]) {
    uint8_t path[PATH_MAX_SIZE];
    if (k == NULL)
        return records_text_name(to, (struct bytes){path, path_of(path, n)});
    bool is4 = k->kind == KEEP_4;
    if (k->bits != (is4 ? 32 : 128))
        return 0;
    return records_text_addr(to, is4, read_addr_of(k->addr, is4 ? 4 : 16));
}

void records_name_of_path(struct bytes path, struct name *n) {
    size_t to = path.size;
    n->size = (uint8_t)(path.size + 1);
    n->labels = 0;
    n->wire[path.size] = 0;
    for (size_t at = 0; at < path.size; at += path.at[at] + 1u) {
        to -= path.at[at] + 1u;
        memcpy(n->wire + to, path.at + at, path.at[at] + 1u);
        n->labels++;
    }
}

void records_name_of(read_addr a, unsigned labels, bool is4, struct name *n) {
    uint8_t path[PATH_MAX_SIZE];
    size_t size = is4 ? path_octets(path, a, labels) : path_nibbles(path, a, labels);
    records_name_of_path((struct bytes){path, size}, n);
}
