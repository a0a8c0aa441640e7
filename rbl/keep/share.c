#include "rbl/keep/impl.h"
#include "rbl/keep/stream.h"

int keep_share(struct keep *k, struct keep **reading, struct err *err) {
    *reading = NULL;
    return err_set(err, E_UNSUPPORTED, "zone %s: not shared", k->zone->name);
}
