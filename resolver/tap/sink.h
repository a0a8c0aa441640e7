/* Private to the room: where frames go, a unix socket or a file. All calls come from the thread of libfstrm, which is
 * the only one that waits: for a receiver that reads slowly SINK_WAIT_MS, then the connection is given up and tried
 * again after SINK_AGAIN_S. A file is opened once; at its first error (a full disk) it is left as it is. */
#ifndef CANDOR_TAP_SINK_H
#define CANDOR_TAP_SINK_H

#include <fstrm.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SINK_WAIT_MS = 500, SINK_AGAIN_S = 1, SINK_PATH = 4096 };

struct sink {
    char path[SINK_PATH];
    bool file;
    bool tried, told;         /* the file was opened; that nobody listens has been said */
    int fd;                   /* -1: closed */
    _Atomic bool up;          /* the receiver takes frames */
    _Atomic int64_t end_ms;   /* not 0: the node ends, and this is as long as it waits */
    _Atomic uint64_t written; /* frames, whole */
};

/* What libfstrm writes through; it does not own the sink. NULL: no memory. */
struct fstrm_rdwr *sink_rdwr(struct sink *s);

#endif
