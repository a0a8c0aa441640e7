/* history, verify, compact: questions about a zone as a whole. */
#include "rbl/publish/command.h"

static void history_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0) {
        answer_job_error(call, j);
        return;
    }
    json_t *list = json_array();
    for (unsigned i = 0; i < j->history_count; i++) {
        const struct keep_history *h = &j->history[i];
        json_array_append_new(list, json_pack("{s:I,s:o,s:o,s:I,s:I,s:I,s:o,s:o}", "serial", (json_int_t)h->serial,
                                              "time", json_time(h->wall_s), "source", json_text(h->source), "added",
                                              (json_int_t)h->added, "removed", (json_int_t)h->removed, "entries",
                                              (json_int_t)h->entries, "digest", json_digest(h->digest), "reason",
                                              json_text(h->reason)));
    }
    answer_json(call, json_pack("{s:b,s:o}", "ok", 1, "history", list));
}

static void verify_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0)
        answer_job_error(call, j);
    else
        answer_json(call, json_pack("{s:b,s:I,s:I,s:o}", "ok", 1, "serial", (json_int_t)j->state.serial, "entries",
                                    (json_int_t)j->state.entries, "digest", json_digest(j->state.digest)));
}

static void compact_done(void *ctx, struct job *j) {
    struct control_call *call = ctx;
    if (j->code != 0)
        answer_job_error(call, j);
    else
        answer_json(call, json_pack("{s:b,s:I,s:I,s:s,s:I,s:I}", "ok", 1, "serial", (json_int_t)j->state.serial,
                                    "entries", (json_int_t)j->state.entries, "generation", j->state.generation, "bytes",
                                    (json_int_t)j->result.bytes, "micros", (json_int_t)j->result.micros));
}

const struct command command_history = {
    .name = "history", .kind = JOB_HISTORY, .fill = command_fill_nothing, .done = history_done};
const struct command command_verify = {
    .name = "verify", .kind = JOB_VERIFY, .fill = command_fill_nothing, .done = verify_done};
const struct command command_compact = {
    .name = "compact", .kind = JOB_COMPACT, .fill = command_fill_nothing, .done = compact_done};
