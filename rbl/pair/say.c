/* The option: version, role, epoch, whether there is a serial, the serial, beginnings of epochs, the node's name. */
#include "rbl/pair/impl.h"

enum { SAID_VERSION = 1, SAID_FIXED = 12 };

size_t said_write(const struct said *s, uint8_t *to, size_t cap) {
    size_t name = strlen(s->name), size = SAID_FIXED + 8 * (size_t)s->forks + name;
    if (size > cap)
        return 0;
    to[0] = SAID_VERSION;
    to[1] = s->active;
    put_u32(to + 2, s->epoch);
    to[6] = s->have;
    put_u32(to + 7, s->serial);
    to[11] = (uint8_t)s->forks;
    for (unsigned i = 0; i < s->forks; i++) {
        put_u32(to + SAID_FIXED + 8 * i, s->fork[i].epoch);
        put_u32(to + SAID_FIXED + 8 * i + 4, s->fork[i].serial);
    }
    memcpy(to + size - name, s->name, name);
    return size;
}

int said_read(struct said *s, struct bytes option) {
    const uint8_t *at = option.at;
    *s = (struct said){0};
    if (option.size < SAID_FIXED || at[0] != SAID_VERSION || at[1] > 1 || at[6] > 1 || at[11] > PAIR_FORKS)
        return E_INVALID;
    size_t names = SAID_FIXED + 8 * (size_t)at[11];
    if (option.size < names || option.size - names >= sizeof s->name)
        return E_INVALID;
    s->active = at[1] != 0;
    s->epoch = get_u32(at + 2);
    s->have = at[6] != 0;
    s->serial = get_u32(at + 7);
    s->forks = at[11];
    for (unsigned i = 0; i < s->forks; i++)
        s->fork[i] = (struct fork){get_u32(at + SAID_FIXED + 8 * i), get_u32(at + SAID_FIXED + 8 * i + 4)};
    for (size_t i = names; i < option.size; i++) {
        if (at[i] < ' ' || at[i] > '~')
            return E_INVALID;
        s->name[i - names] = (char)at[i];
    }
    return s->epoch > 0 ? 0 : E_INVALID;
}
