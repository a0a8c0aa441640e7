/* Inside of the commands: what each of them is made of, and JSON that all of them speak. */
#ifndef CANDOR_RBL_PUBLISH_COMMAND_H
#define CANDOR_RBL_PUBLISH_COMMAND_H

#include <jansson.h>

#include "rbl/publish/commands.h"

/* A command that is one job of one zone. `fill` finds the call in j->ctx and may put a context of its own there (in the
 * job's arena); `done` answers the call. */
struct command {
    const char *name;
    enum job_kind kind;
    int (*fill)(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err);
    void (*done)(void *ctx, struct job *j);
    /* without a zone; NULL: it needs one */
    int (*everywhere)(struct keeper *k, struct control_call *call, const json_t *doc, struct err *err);
};
extern const struct command command_publish, command_change, command_why, command_history, command_verify,
    command_compact;

/* Which kinds of questions the zone's data answers, by its configuration; 0: it says nothing (no data). */
enum { HOLDS_IP4 = 1, HOLDS_IP6 = 2, HOLDS_NAMES = 4, HOLDS_RRS = 8 };
unsigned command_holds(const struct conf_zone *zone);
int command_fill_nothing(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err);

/* --- command_json.c. `doc` is taken over; NULL answers that there is no memory. --- */
void answer_json(struct control_call *call, json_t *doc);
void answer_error(struct control_call *call, int code, const char *text);
/* What went wrong with a job, with the numbers there are. */
void answer_job_error(struct control_call *call, const struct job *j);
/* Text from files may be any bytes: what is no UTF-8 is shown with question marks. */
json_t *json_bytes(const char *text, size_t size);
json_t *json_text(const char *text);
json_t *json_time(int64_t wall_s); /* null when <= 0 */
json_t *json_digest(struct digest d);

#endif
