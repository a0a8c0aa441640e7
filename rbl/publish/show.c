/* What a zone's last job means for its slot on the board. */
#include "rbl/publish/keeper_impl.h"

#include "resolver/base/clock.h"
#include "resolver/base/log.h"

void show_zone_start(struct board_zone *slot, const struct conf_zone *zone) {
    board_zone_open(slot);
    bool same = strncmp(slot->name, zone->name, sizeof slot->name) == 0;
    text_copy(slot->name, sizeof slot->name, zone->name);
    slot->error[0] = '\0';
    if (!same) {
        slot->generation[0] = '\0';
        memset(slot->digest, 0, sizeof slot->digest);
    }
    board_zone_close(slot);
    board_set(&slot->state, ZONE_LOADING);
    if (same)
        return;
    board_word *numbers[] = {&slot->serial,
                             &slot->entries,
                             &slot->last_check_wall_s,
                             &slot->last_change_wall_s,
                             &slot->last_success_wall_s,
                             &slot->refused,
                             &slot->bad_lines,
                             &slot->commit_bytes,
                             &slot->commit_us,
                             &slot->added,
                             &slot->removed,
                             &slot->expires_wall_s};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        board_set(numbers[i], 0);
}

void show_checked(struct keeper_zone *z) {
    if (z->slot != NULL)
        board_set(&z->slot->last_check_wall_s, (uint64_t)clock_wall_s());
}

static enum board_zone_state state_after(const struct job *j) {
    bool source = j->kind == JOB_FILES || j->kind == JOB_PUBLISH;
    switch (j->code) {
    case 0:
        return j->state.empty ? ZONE_LOADING : ZONE_OK;
    case E_REFUSED:
        return ZONE_REFUSED;
    case E_CORRUPT:
    case E_IO:
    case E_FULL:
        return ZONE_ERROR;
    default:
        return source ? ZONE_BAD_SOURCE : ZONE_ERROR;
    }
}

/* Serial last, behind a release: who sees the new serial sees the rest of the commit. */
static void show_state(struct keeper_zone *z, const struct job *j) {
    struct board_zone *s = z->slot;
    board_zone_open(s);
    text_copy(s->generation, sizeof s->generation, j->state.generation);
    put_u64(s->digest, j->state.digest.hi);
    put_u64(s->digest + 8, j->state.digest.lo);
    board_zone_close(s);
    board_set(&s->entries, j->state.entries);
    board_set(&s->bad_lines, j->state.bad_lines);
    board_set(&s->last_change_wall_s, (uint64_t)j->state.changed_wall_s);
    board_set(&s->expires_wall_s, (uint64_t)j->state.expires_wall_s);
    board_set(&s->serial, j->state.serial);
    board_set(&s->commits, j->state.commits);
    board_set(&s->map_bytes, j->stat.map_bytes);
    board_set(&s->used_bytes, j->stat.used_bytes);
    board_set(&s->readers, j->stat.readers);
    board_set(&s->readers_max, j->stat.readers_max);
    board_set(&s->oldest_reader_txns, j->stat.oldest_reader_txns);
    board_add(&s->stale_readers_cleared, j->stat.stale_cleared);
}

static void show_outcome(struct keeper_zone *z, const struct job *j) {
    struct board_zone *s = z->slot;
    board_zone_open(s);
    text_copy(s->error, sizeof s->error, j->code == 0 ? "" : j->err.text);
    board_zone_close(s);
    board_set(&s->state, state_after(j));
    if (j->code == E_REFUSED)
        board_add(&s->refused, 1);
    if (j->code == E_IO || j->code == E_FULL || j->code == E_CORRUPT)
        board_add(&s->write_errors, 1);
    if (j->code == 0)
        board_set(&s->last_success_wall_s, (uint64_t)clock_wall_s());
    if (j->code == 0 && j->result.changed) {
        board_set(&s->commit_bytes, j->result.bytes);
        board_set(&s->commit_us, j->result.micros);
        board_set(&s->added, j->result.added);
        board_set(&s->removed, j->result.removed);
    }
}

static void log_outcome(const struct keeper_zone *z, const struct job *j) {
    for (unsigned i = 0; i < j->report.notes; i++)
        LOG(LEVEL_WARN, "line skipped", KS("zone", z->conf->name), KS("file", j->report.note[i].file),
            KU("line", j->report.note[i].line), KS("why", j->report.note[i].text));
    if (j->code != 0) {
        LOG(LEVEL_ERROR, "zone not updated, the last good state stays", KS("zone", z->conf->name),
            KS("code", err_name(j->code)), KS("why", j->err.text), KU("serial", j->state.serial));
    } else if (j->result.changed) {
        LOG(LEVEL_INFO, "zone committed", KS("zone", z->conf->name), KU("serial", j->state.serial),
            KU("entries", j->state.entries), KU("added", j->result.added), KU("removed", j->result.removed),
            KU("bytes", j->result.bytes), KF("ms", (double)j->result.micros / 1000.0),
            KS("kind", j->result.bulk ? "bulk" : "difference"), KU("bad_lines", j->report.bad_lines));
    }
}

void show_job(struct keeper_zone *z, const struct job *j) {
    bool source = (j->kind == JOB_FILES || j->kind == JOB_PUBLISH) && !j->dry_run;
    bool outcome = source || j->kind == JOB_OPEN || (j->kind == JOB_VERIFY && j->code != 0);
    if (z->slot != NULL) {
        if (z->keep != NULL)
            show_state(z, j);
        if (outcome)
            show_outcome(z, j);
    }
    if (outcome)
        log_outcome(z, j);
}
