/* SOA and NS at the apex: they come from the configuration or the files, and are compared with what is sent. */
#include "rbl/keep/view.h"
#include "rbl/update/impl.h"

enum { NUMBERS = 20 }; /* serial, refresh, retry, expire, minimum */

unsigned update_apex_count(const struct update_run *u, uint16_t type) {
    const struct view_apex *a = keep_batch_apex(u->batch);
    return a == NULL ? 0 : type == TYPE_SOA ? 1 : a->ns_count;
}

bool update_apex_serial(const struct update_run *u, uint32_t *serial) {
    const struct view_apex *a = keep_batch_apex(u->batch);
    *serial = a != NULL ? a->serial : 0;
    return a != NULL;
}

bool update_apex_same_soa(const struct update_run *u, struct bytes rdata) {
    const struct view_apex *a = keep_batch_apex(u->batch);
    struct name n;
    size_t at;
    if (a == NULL || name_read(&n, rdata.at, rdata.size, 0, &at) != 0 || !name_equal(&n, &a->soa.primary) ||
        name_read(&n, rdata.at, rdata.size, at, &at) != 0 || !name_equal(&n, &a->soa.contact) ||
        rdata.size - at != NUMBERS)
        return false;
    const uint32_t numbers[] = {a->soa.refresh, a->soa.retry, a->soa.expire, a->soa.minimum};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (get_u32(rdata.at + at + 4 + 4 * i) != numbers[i])
            return false;
    return true;
}

bool update_apex_has(const struct update_run *u, uint16_t type, struct bytes rdata) {
    const struct view_apex *a = keep_batch_apex(u->batch);
    struct name n;
    size_t next;
    if (a == NULL)
        return false;
    if (type == TYPE_SOA)
        return update_apex_same_soa(u, rdata) && get_u32(rdata.at + rdata.size - NUMBERS) == a->serial;
    if (name_read(&n, rdata.at, rdata.size, 0, &next) != 0)
        return false;
    for (unsigned i = 0; i < a->ns_count && i < ARRAY_SIZE(a->ns); i++)
        if (name_equal(&a->ns[i], &n))
            return true;
    return false;
}
