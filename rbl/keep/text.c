#include <arpa/inet.h>
#include <stdio.h>

#include "rbl/keep/impl.h"

const char *text_entry4(char *to, size_t cap, const uint8_t addr[4], unsigned bits) {
    char host[INET_ADDRSTRLEN];
    if (inet_ntop(AF_INET, addr, host, sizeof host) == NULL)
        host[0] = '\0';
    snprintf(to, cap, bits == 32 ? "%s" : "%s/%u", host, bits);
    return to;
}

const char *text_entry6(char *to, size_t cap, const uint8_t addr[16], unsigned bits) {
    char host[INET6_ADDRSTRLEN];
    if (inet_ntop(AF_INET6, addr, host, sizeof host) == NULL)
        host[0] = '\0';
    snprintf(to, cap, bits == 128 ? "%s" : "%s/%u", host, bits);
    return to;
}

/* Without the final dot, as the data files have it; cut when it does not fit. */
const char *text_name(char *to, size_t cap, const uint8_t *reversed, size_t size, bool wildcard) {
    struct name n = {.size = (uint8_t)(size + 1)};
    char text[NAME_TEXT_MAX];
    unsigned labels;
    to[0] = '\0';
    if (size + 1 > sizeof n.wire || meta_labels(reversed, size, &labels) < 0)
        return to;
    n.labels = (uint8_t)labels;
    n.wire[size] = 0;
    for (size_t at = 0; at < size; at += reversed[at] + 1u)
        memcpy(n.wire + size - at - reversed[at] - 1u, reversed + at, reversed[at] + 1u);
    name_text(&n, text);
    size_t length = strlen(text);
    if (length > 1 && text[length - 1] == '.')
        text[length - 1] = '\0';
    snprintf(to, cap, "%s%s", wildcard ? "*." : "", text);
    return to;
}
