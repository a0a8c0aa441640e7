/* What a monitor knows of one node: its own word (reports), and what the monitor got when it asked the node itself. The
 * two stand side by side, and that they disagree is a finding of its own. Pure: times are the caller's.
 *
 *   a report -> heard, kept apart from repetitions and gaps -> silent? what does it say? does it fit what we see? */
#ifndef CANDOR_MONITOR_WATCHED_H
#define CANDOR_MONITOR_WATCHED_H

#include "health/report/report.h"

struct watched {
    const char *name;
    uint32_t push_ms;
    int64_t since_ms; /* watched since (mono) */
    /* its own word */
    bool
        unreported; /* none is taken in (it has no key, or there is no address for reports): what we get counts alone */
    bool heard_once;
    struct report last;
    int64_t heard_ms, heard_wall_ms; /* when `last` came */
    uint64_t reports, repeated, missed, boots;
    int64_t missed_ms; /* when the last gap was seen; 0: never */
    /* what we got */
    bool asked; /* its DNS port was asked, and it was decided whether it answers */
    bool answers;
    int64_t answered_ms; /* when it last did */
    int64_t asked_ms;    /* when this monitor asked it anything last; 0: never */
    bool pulled;         /* its health port was asked, and it was decided what it shows */
    bool shows, shows_ready;
    enum verdict_state shown; /* its overall state there; `shows` false: it gave no answer */
    int64_t shown_ms;         /* when it last answered there */
    /* what other nodes that are heard say of it: of `peers_of` that watch it, so many see it, so many say it is gone */
    size_t peers_of, peers_see, peers_miss;
};

enum watched_take {
    WATCHED_NEW,
    WATCHED_AGAIN, /* the report that is known already: acknowledge it again */
    WATCHED_OLD    /* older than what is known, or of a boot that is over: a repeated datagram. Not believed */
};
/* Takes in a report that was signed by the node's key. */
enum watched_take watched_report(struct watched *w, const struct report *r, int64_t mono_ms, int64_t wall_ms);
void watched_answer(struct watched *w, bool answers, int64_t mono_ms);
/* What its health port shows; `answered` false: nothing came. */
void watched_pulled(struct watched *w, bool answered, enum verdict_state shown, bool ready, int64_t mono_ms);

/* Silent for longer than two and a half push intervals: one report may get lost, and the next must be late, too. */
bool watched_is_silent(const struct watched *w, int64_t mono_ms);
/* Nothing is heard of it by either way: it does not answer, and its next report is late; or it is silent. */
bool watched_is_lost(const struct watched *w, int64_t mono_ms);

/* What a report says of the node itself: without the scopes `peers` and `monitor`, which are about others. Each would
 * be red because of one, and two monitors that watch each other would hold for ever against each other that they do. */
enum verdict_state watched_own(const struct report *r);
/* In words and as a verdict: whether it reports, and what it says of itself. */
enum verdict_state watched_judge(const struct watched *w, int64_t mono_ms, char *to, size_t size);
/* Most of the others that watch it say that it is gone, and more than one does. */
bool watched_is_missed(const struct watched *w);
/* Whether what it says fits what we get, and what its peers see; the words tell all three. VERDICT_UNKNOWN: one of the
 * two is not known freshly, nothing is said. */
enum verdict_state watched_agree(const struct watched *w, int64_t mono_ms, char *to, size_t size);
/* Whether reports were missed in the last `window_ms`. */
enum verdict_state watched_gaps(const struct watched *w, int64_t mono_ms, int64_t window_ms, char *to, size_t size);

/* Of several nodes more than half are lost at once: then it is the monitor that is cut off, and it says nothing of the
 * others. Less than two are no quorum. */
bool watched_cut_off(const struct watched *w, size_t count, int64_t mono_ms, size_t *lost);

#endif
