/* Between the files of this room that make up the machine of alert.h. */
#ifndef CANDOR_ALERT_IMPL_H
#define CANDOR_ALERT_IMPL_H

#include "health/alert/alert.h"

#define ALERT_NEVER INT64_MIN

struct subject {
    enum alert_kind kind;
    char name[ALERT_NAME]; /* "": nobody */
    bool spoken;           /* of it, in this look */
    enum alert_state state;
    int64_t ill_ms, ill_wall_ms; /* since; ALERT_NEVER: it is not, or that counts for nothing now */
    int64_t well_ms;             /* since, while an alert holds */
    int entry;                   /* the alert that it is in; -1: none */
    uint64_t last;               /* id of the one that it was in last */
    char why[ALERT_WORDS], own[ALERT_WORDS], got[ALERT_WORDS], seen[ALERT_WORDS];
};

struct entry {
    struct alert alert; /* id 0: free */
    int64_t told_ms, pause_ms;
    size_t told_total;
};

struct alerts {
    struct alert_plan plan;
    char monitor[ALERT_NAME], cut[ALERT_WORDS]; /* cut "": it is not cut off */
    uint64_t change;
    int64_t mono_ms, wall_ms, settle_until_ms;
    bool restored; /* and not looked since */
    size_t hint;   /* where the next subject is looked for first */
    size_t nodes;  /* spoken of in this look */
    struct subject subject[ALERT_SUBJECTS];
    struct entry entry[ALERT_MAX];
};

static inline bool entry_holds(const struct entry *e) { return e->alert.id != 0 && e->alert.ended_wall_ms == 0; }

/* words.c: texts of an alert that holds, from what its subjects are now. */
void words_clean(char *to, size_t cap, const char *from);
void words_single(const struct alerts *a, struct alert *alert, const struct subject *s);
void words_many(const struct alerts *a, struct alert *alert, int entry);
void words_cut_off(const struct alerts *a, struct alert *alert);

#endif
