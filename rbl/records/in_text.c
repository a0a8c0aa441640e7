/* Texts as templates. */
#include <ctype.h>

#include "rbl/records/in_impl.h"

enum { OWN_LEAST = 4 };

/* Whether the text goes on as a word on neither side. */
static bool stands_alone(const uint8_t *at, size_t from, size_t size, size_t end) {
    return (from == 0 || !isalnum(at[from - 1])) && (from + size == end || !isalnum(at[from + size]));
}

void records_template(struct value *v, struct bytes txt, const char *own, size_t own_size) {
    size_t to = 0, end = txt.size - 1;
    const uint8_t *at = txt.at + 1;
    for (size_t i = 0; i < end;) {
        const uint8_t *found = own_size >= OWN_LEAST && own_size <= end - i && at[i] == (uint8_t)own[0] &&
                                       memcmp(at + i, own, own_size) == 0 && stands_alone(at, i, own_size, end)
                                   ? at + i
                                   : NULL;
        if (found != NULL) {
            v->txt[to++] = '$';
            i += own_size;
            continue;
        }
        v->txt[to++] = at[i] == '$' ? '\0' : (char)at[i];
        i++;
    }
    v->has_txt = true;
    v->txt_size = (uint16_t)to;
    v->txt[to] = '\0';
}
