/* What a sink has not got rid of, on disk: reports in a file of their own, and how far it has come with the events.
 *
 * The file of reports (`state`/health/sink-NAME.reports) is only written while reports wait, and emptied when none
 * does; the mark (`.mark`) after each delivery of events. Nothing is synced to the disk: what a power cut takes are
 * reports, and what it gives back are events that were delivered already, which their number tells (boot and sequence).
 * Files are read as if an enemy had written them. All of it belongs to the sink's thread; a disk that hangs hangs that
 * thread alone, and one that fails is said in `problem` and costs nothing but this safety. */
#ifndef CANDOR_REPORT_SPOOL_H
#define CANDOR_REPORT_SPOOL_H

#include "health/report/report.h"

struct spool {
    char reports[4096], mark[4096]; /* paths; "": nothing is kept on disk */
    int fd;                         /* of reports; -1: not open */
    size_t written;                 /* records in the file */
    char problem[96];               /* of the disk, the last one; "": none */
};

/* How far: the number of the last event that the other side has, and in which life of the ledger. */
struct spool_mark {
    bool known; /* false: this sink has never delivered an event */
    uint64_t sequence;
};

/* `name` may hold any characters; those that do not belong into a file's name are replaced. folder "": no disk. */
void spool_open(struct spool *s, const char *folder, const char *name);
void spool_close(struct spool *s);
struct spool_mark spool_mark_read(struct spool *s);
void spool_mark_write(struct spool *s, uint64_t sequence);
/* The reports that were waiting when the process ended, oldest first, at most `cap`; how many. */
size_t spool_read(struct spool *s, struct report *to, size_t cap);
void spool_add(struct spool *s, const struct report *r);
/* None waits any more. */
void spool_empty(struct spool *s);
/* The file has grown far beyond what waits: begins it anew; what waits is then added again by spool_add. */
bool spool_is_long(const struct spool *s, size_t waiting);

#endif
