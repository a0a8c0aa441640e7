/* Until rbl/keep's streams are there: a native primary is asked for plain RRs instead. Goes with them. */
#include "rbl/keep/stream.h"

#define WEAK __attribute__((weak))

WEAK int stream_in_open(struct stream_in **in, struct keep *k, struct err *err) {
    (void)in, (void)k;
    return err_set(err, E_UNSUPPORTED, "streams are not in this version");
}
WEAK int stream_in_write(struct stream_in *in, struct bytes part, struct err *err) {
    (void)in, (void)part;
    return err_set(err, E_UNSUPPORTED, "streams are not in this version");
}
WEAK int stream_in_commit(struct stream_in *in, const struct keep_commit *c, struct keep_result *r, struct err *err) {
    (void)in, (void)c, (void)r;
    return err_set(err, E_UNSUPPORTED, "streams are not in this version");
}
WEAK void stream_in_close(struct stream_in *in) { (void)in; }
