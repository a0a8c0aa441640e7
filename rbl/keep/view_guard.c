/* Every look-up of a view stands behind a guard: damage that appears while the zone is open is E_CORRUPT for this zone
 * and nothing else (resolver/store/fault.h, docs/decisions/0017). */
#include "rbl/keep/view_impl.h"
#include "resolver/base/log.h"
#include "resolver/store/fault.h"

static int faulted(struct view *v, const struct store_fault *f) {
    struct err err;
    if (!v->hurt)
        LOG(LEVEL_ERROR, "a zone's file is damaged", KS("zone_folder", v->dir), KS("generation", v->generation),
            KS("why", (store_faulted(f, &err), err.text)));
    v->hurt = true;
    return E_CORRUPT;
}

#define GUARDED(call)                                                                                                  \
    struct store_fault f;                                                                                              \
    if (sigsetjmp(f.back, 0) != 0)                                                                                     \
        return faulted(v, &f);                                                                                         \
    store_fault_arm(&f);                                                                                               \
    int rc = call;                                                                                                     \
    store_fault_disarm(&f);                                                                                            \
    return rc

int view_find4(struct view *v, uint64_t which, uint32_t addr, struct view_hit *hit, unsigned *hits) {
    GUARDED(look_into_find4(v, which, addr, hit, hits));
}

int view_find6(struct view *v, uint64_t which, const uint8_t addr[16], struct view_hit *hit, unsigned *hits) {
    GUARDED(look_into_find6(v, which, addr, hit, hits));
}

int view_find_name(struct view *v, uint64_t which, const struct name *relative, struct view_hit *hit, unsigned *hits,
                   bool *below) {
    GUARDED(look_into_find_name(v, which, relative, hit, hits, below));
}

int view_find_acl(struct view *v, const struct addr *client, struct value *value) {
    GUARDED(look_into_find_acl(v, client, value));
}

int view_below4(struct view *v, uint64_t which, uint32_t addr, unsigned bits, bool *below) {
    GUARDED(look_into_below4(v, which, addr, bits, below));
}

int view_below6(struct view *v, uint64_t which, const uint8_t addr[16], unsigned bits, bool *below) {
    GUARDED(look_into_below6(v, which, addr, bits, below));
}

int view_value(struct view *v, uint32_t id, struct value *value) { GUARDED(look_into_value(v, id, value)); }
