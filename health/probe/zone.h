/* Between the files that judge zones: what the board says of one, and RFC 5782 test points. */
#ifndef CANDOR_PROBE_ZONE_H
#define CANDOR_PROBE_ZONE_H

#include "health/probe/impl.h"

/* A copy of the zone's slot; false when the board does not speak of this zone at this index (yet). */
bool zone_data_read(const struct board *b, size_t index, const char *name, struct board_zone *copy);
/* Whether there is a generation to serve. */
bool zone_data_there(const struct board_zone *z);
/* What candor-sync says of the zone: loaded, refused, expired, stale. `z` NULL: nothing. */
enum verdict_state zone_data_judge(const struct conf_zone *conf, const struct board_zone *z, int64_t wall_s,
                                   struct evidence *e);

/* Which serial a worker served, against the one that is committed. A worker may be a moment behind: only one that stays
 * away from the committed serial for `persist_ms` is wrong. */
struct serial_watch {
    uint32_t wrong; /* the serial it served instead */
    int64_t since_ms;
    bool is_wrong;
};
enum serial_verdict { SERIAL_RIGHT, SERIAL_BEHIND, SERIAL_WRONG };
enum serial_verdict serial_look(struct serial_watch *w, uint32_t served, uint32_t committed, int64_t now_ms,
                                uint32_t persist_ms);

/* Which serial another node served, against the one that was here at the same moment. While changes keep coming the two
 * may differ at every look, and yet each change arrives: a difference lasts only as long as the one that is behind has
 * not reached what the other had when the difference was first seen. It lasts from look to look: what was not looked
 * at again is not known to have lasted. */
struct far_serial {
    bool differs;
    uint32_t theirs, ours;             /* at the last look */
    uint32_t first_theirs, first_ours; /* when the difference was first seen */
    int64_t since_ms, seen_ms;
};
void far_serial_look(struct far_serial *s, uint32_t theirs, uint32_t ours, int64_t now_ms);
int64_t far_serial_apart_ms(const struct far_serial *s); /* 0: they do not differ */

/* RFC 5782 section 5: one point that must be listed and one that must not be. */
enum { POINT_LISTED, POINT_UNLISTED, POINTS };
/* The name to ask; E_RANGE when it becomes too long, E_NOTFOUND when `test` has no points. */
int point_name(struct name *qname, enum conf_test test, int point, const struct name *zone) MUST_USE;
/* Judges the answer (code 0) and says what came. `refuse`: answers of a remote list that mean "you may not ask". */
enum verdict_state point_judge(int point, const struct answer *a, const struct conf_list_prefix *refuse, char *came,
                               size_t size);

#endif
