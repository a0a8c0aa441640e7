/* From a health document (draft-inadarei-api-health-check) to what the Nagios plug-in convention wants: one line, one
 * code. */
#ifndef CANDOR_COMMAND_JUDGE_H
#define CANDOR_COMMAND_JUDGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum judge_state { JUDGE_OK, JUDGE_WARNING, JUDGE_CRITICAL, JUDGE_UNKNOWN, JUDGE_STATES }; /* the exit codes */

const char *judge_name(enum judge_state s);

/* "pass" "ok" "up" -> OK, "warn" -> WARNING, "fail" "error" "down" -> CRITICAL, anything else -> UNKNOWN. */
enum judge_state judge_status(const char *status);

/* OK < WARNING < UNKNOWN < CRITICAL: how bad. */
unsigned judge_badness(enum judge_state s);

struct judgement {
    enum judge_state state;
    size_t checks, counts[JUDGE_STATES];
    char sentence[600]; /* cleaned */
};

/* Reads the document. Its own status counts, but nothing that its checks say is overlooked: a document that says pass
 * over a failing check is judged by the check. What is no such document is UNKNOWN. */
void judge(struct judgement *j, const json_t *doc);

/* Of some of the checks, by name ("zone:serial") and what stands in them. NULL: all. */
typedef bool (*judge_wanted)(const void *ctx, const char *name, const json_t *check);
/* As judge(), of those alone, and the document's own status counts for nothing beside them. None of them: UNKNOWN, with
 * the document's own words when its evidence is old, else an empty sentence. */
void judge_some(struct judgement *j, const json_t *doc, judge_wanted wanted, const void *ctx);
/* Calls `each` for every check; one that is no object is NULL. */
void judge_each(const json_t *doc, void (*each)(void *ctx, const char *name, const json_t *check), void *ctx);

/* The scopes and their states, on one line; nothing when the document has none. */
void judge_print_scopes(const json_t *doc, FILE *to);

/* Each check that does not pass, worst first, a line each. */
void judge_print_checks(const json_t *doc, FILE *to);

#endif
