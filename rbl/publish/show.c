/* What a zone's last job means for its slot on the board. */
#include "rbl/publish/keeper_impl.h"

#include <stdio.h>

#include "rbl/keep/view.h"
#include "resolver/base/clock.h"
#include "resolver/base/log.h"

/* All that counts or says when, but `commits`: it goes on, so that who looks for a change of it sees one. */
static void clear(struct board_zone *slot) {
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
                             &slot->expires_wall_s,
                             &slot->changes_done,
                             &slot->change_groups,
                             &slot->changes_refused,
                             &slot->changes_failed,
                             &slot->changes_lost,
                             &slot->change_done_wall_s,
                             &slot->change_refused_wall_s,
                             &slot->local_entries,
                             &slot->expire_next_wall_s,
                             &slot->expired,
                             &slot->compactions,
                             &slot->compaction_us,
                             &slot->secondary,
                             &slot->source_serial,
                             &slot->source_known,
                             &slot->serial_regressions,
                             &slot->stamp_wall_ms,
                             &slot->committed_wall_ms,
                             &slot->checked_wall_ms,
                             &slot->refresh_due_wall_s,
                             &slot->role,
                             &slot->epoch,
                             &slot->diverged,
                             &slot->forwarded,
                             &slot->forward_failed,
                             &slot->pair_trouble,
                             &slot->propagation_sum_ms,
                             &slot->map_bytes,
                             &slot->used_bytes,
                             &slot->free_pages,
                             &slot->stored_wall_s,
                             &slot->readers,
                             &slot->readers_max,
                             &slot->oldest_reader_txns,
                             &slot->stale_readers_cleared,
                             &slot->oldest_reader_pid,
                             &slot->readers_ended,
                             &slot->write_errors};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        board_set(numbers[i], 0);
    for (size_t i = 0; i < BOARD_PROPAGATION; i++)
        board_set(&slot->propagation[i], 0);
}

void show_zone_start(struct board_zone *slot, const struct conf_zone *zone) {
    board_zone_open(slot);
    bool same = strncmp(slot->name, zone->name, sizeof slot->name) == 0;
    text_copy(slot->name, sizeof slot->name, zone->name);
    slot->error[0] = slot->change_error[0] = slot->waiting[0] = '\0';
    if (!same) {
        slot->generation[0] = '\0';
        memset(slot->digest, 0, sizeof slot->digest);
    }
    board_zone_close(slot);
    board_set(&slot->state, ZONE_LOADING);
    if (same)
        return;
    clear(slot);
}

/* A free slot: no name, and every number as it was before there was a zone. */
void show_zone_end(struct board_zone *slot) {
    board_zone_open(slot);
    memset(slot->name, 0, sizeof slot->name);
    memset(slot->generation, 0, sizeof slot->generation);
    memset(slot->digest, 0, sizeof slot->digest);
    slot->error[0] = slot->change_error[0] = slot->waiting[0] = '\0';
    board_zone_close(slot);
    board_set(&slot->state, ZONE_LOADING);
    clear(slot);
}

void show_checked(struct keeper_zone *z) {
    if (z->slot != NULL)
        board_set(&z->slot->last_check_wall_s, (uint64_t)clock_wall_s());
}

void show_waiting(struct keeper_zone *z, const char *why) {
    struct board_zone *s = z->slot;
    char text[BOARD_TEXT_MAX] = "";
    if (why != NULL)
        (void)snprintf(text, sizeof text, "%.200s has changed and is still open for writing", why);
    if (s == NULL || strcmp(s->waiting, text) == 0)
        return;
    board_zone_open(s);
    text_copy(s->waiting, sizeof s->waiting, text);
    board_zone_close(s);
}

/* E_NOMEM: also of a map for which there is no address space. */
static bool store_failed_with(int code) {
    return code == E_CORRUPT || code == E_IO || code == E_FULL || code == E_NOMEM;
}

/* What the last reading of the files and the last commit of any kind mean together. */
static enum board_zone_state state_after(const struct keeper_zone *z, const struct job *j) {
    if (j->kind == JOB_EXPIRE && j->code == E_REFUSED)
        return ZONE_REFUSED;
    if (j->code != 0 && (j->kind == JOB_OPEN || j->kind == JOB_VERIFY || store_failed_with(j->code)))
        return j->kind == JOB_OPEN || j->kind == JOB_VERIFY || j->code == E_CORRUPT || j->state.empty ? ZONE_ERROR
                                                                                                      : ZONE_UNSTORED;
    if (z->source_code == E_REFUSED)
        return ZONE_REFUSED;
    if (z->source_code != 0)
        return ZONE_BAD_SOURCE;
    return j->state.empty ? ZONE_LOADING : ZONE_OK;
}

/* What the files say, or what the primaries' silence will bring, whichever comes first. */
static uint64_t expires_of(const struct board_zone *s, const struct keep_state *st) {
    uint64_t lapses = board_get(&s->lapses_wall_s), own = (uint64_t)st->expires_wall_s;
    return lapses != 0 && (own == 0 || lapses < own) ? lapses : own;
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
    board_set(&s->expires_wall_s, expires_of(s, &j->state));
    if (j->apex != NULL) {
        board_set(&s->refresh_s, j->apex->soa.refresh);
        board_set(&s->expire_s, j->apex->soa.expire);
    }
    board_set(&s->serial, j->state.serial);
    board_set(&s->commits, j->state.commits);
    board_set(&s->local_entries, j->local_entries);
    board_set(&s->expire_next_wall_s, (uint64_t)z->expire_wall_s);
    board_add(&s->expired, j->expired);
    if (!j->stat_known)
        return;
    board_set(&s->map_bytes, j->stat.map_bytes);
    board_set(&s->used_bytes, j->stat.used_bytes);
    board_set(&s->free_pages, j->stat.free_pages);
    board_set(&s->readers, j->stat.readers);
    board_set(&s->readers_max, j->stat.readers_max);
    board_set(&s->oldest_reader_txns, j->stat.oldest_reader_txns);
    board_set(&s->oldest_reader_pid, j->stat.oldest_reader_txns > 0 ? (uint64_t)j->stat.oldest_reader_pid : 0);
    board_add(&s->stale_readers_cleared, j->stat.stale_cleared);
}

static void show_commit(struct board_zone *s, const struct keep_result *r) {
    board_set(&s->stored_wall_s, (uint64_t)clock_wall_s());
    board_set(&s->commit_bytes, r->bytes);
    board_set(&s->commit_us, r->micros);
    board_set(&s->added, r->added);
    board_set(&s->removed, r->removed);
}

/* A file that is still being written is no bad source: it is read again soon, and until then nothing has been said. */
static void note_source(struct keeper_zone *z, const struct job *j) {
    bool whole = j->kind == JOB_FILES || j->kind == JOB_PUBLISH || j->kind == JOB_WRITE;
    if (!whole || j->code == E_AGAIN)
        return;
    z->source_code = store_failed_with(j->code) ? 0 : j->code;
    z->source_err = j->err;
}

static void show_outcome(struct keeper_zone *z, const struct job *j) {
    struct board_zone *s = z->slot;
    if (j->code == E_AGAIN)
        return;
    const char *why = j->code != 0 ? j->err.text : z->source_code != 0 ? z->source_err.text : "";
    board_zone_open(s);
    text_copy(s->error, sizeof s->error, why);
    board_zone_close(s);
    board_set(&s->state, state_after(z, j));
    if (j->code == E_REFUSED)
        board_add(&s->refused, 1);
    if (store_failed_with(j->code))
        board_add(&s->write_errors, 1);
    if (j->code == 0)
        board_set(&s->last_success_wall_s, (uint64_t)clock_wall_s());
    if (j->code == 0 && j->result.changed && j->kind != JOB_COMPACT)
        show_commit(s, &j->result);
}

static void show_compaction(struct board_zone *s, const struct job *j) {
    if (j->code != 0)
        return;
    board_add(&s->compactions, 1);
    board_set(&s->compaction_us, j->result.micros);
}

/* How each change of a group ended. A refusal stays in sight until a change goes through. */
static void show_changes(struct board_zone *s, const struct job *first) {
    const struct job *refused = NULL, *lost = NULL;
    uint64_t counts[4] = {0};
    uint32_t last_serial = 0;
    for (const struct job *j = first; j != NULL; j = j->next) {
        counts[0] += j->code == 0;
        counts[1] += j->code == E_REFUSED && !j->failed_itself;
        counts[2] += j->code != 0 && j->failed_itself;
        if (j->code == E_REFUSED && !j->failed_itself)
            refused = j;
        else if (j->code != 0 && !j->failed_itself)
            lost = j;
        counts[3] += lost == j;
        if (j->code == 0 && j->result.changed && j->state.serial != last_serial) {
            last_serial = j->state.serial;
            board_add(&s->change_groups, 1);
            show_commit(s, &j->result);
        }
    }
    board_word *words[] = {&s->changes_done, &s->changes_refused, &s->changes_failed, &s->changes_lost};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        board_add(words[i], counts[i]);
    uint64_t now = (uint64_t)clock_wall_s();
    if (counts[0] > 0)
        board_set(&s->change_done_wall_s, now);
    if (refused != NULL) {
        board_add(&s->refused, counts[1]);
        board_set(&s->change_refused_wall_s, now);
    }
    if (refused != NULL || (counts[0] > 0 && s->change_error[0] != '\0')) {
        board_zone_open(s);
        text_copy(s->change_error, sizeof s->change_error, refused != NULL ? refused->err.text : "");
        board_zone_close(s);
    }
}

static void log_notes(const struct keeper_zone *z, const struct load_report *r) {
    for (unsigned i = 0; i < r->notes; i++)
        LOG(LEVEL_WARN, "line skipped", KS("zone", z->conf->name), KS("file", r->note[i].file),
            KU("line", r->note[i].line), KS("why", r->note[i].text));
}

/* What keeps going wrong is tried again each second, but said once a minute. */
static bool said_lately(struct keeper_zone *z, const struct job *j) {
    enum { AGAIN_MS = 60000 };
    int64_t now = loop_now_ms(z->keeper->loop);
    if (j->code == 0) {
        if (j->kind != JOB_OPEN)
            z->said[0] = '\0';
        return false;
    }
    bool again = strcmp(z->said, j->err.text) == 0 && now - z->said_ms < AGAIN_MS;
    if (!again) {
        text_copy(z->said, sizeof z->said, j->err.text);
        z->said_ms = now;
    }
    return again;
}

static void log_outcome(struct keeper_zone *z, const struct job *j) {
    if (said_lately(z, j))
        return;
    if (j->load != NULL)
        log_notes(z, &j->load->report);
    if (j->code == E_AGAIN) {
        LOG(LEVEL_INFO, "files are being written, looking again", KS("zone", z->conf->name), KS("why", j->err.text));
    } else if (j->code != 0) {
        LOG(LEVEL_ERROR, "zone not updated, the last good state stays", KS("zone", z->conf->name),
            KS("code", err_name(j->code)), KS("why", j->err.text), KU("serial", j->state.serial));
    } else if (j->kind == JOB_COMPACT) {
        LOG(LEVEL_INFO, "zone compacted", KS("zone", z->conf->name), KS("generation", j->state.generation),
            KU("bytes", j->result.bytes), KF("ms", (double)j->result.micros / 1000.0));
    } else if (j->result.changed) {
        LOG(LEVEL_INFO, "zone committed", KS("zone", z->conf->name), KU("serial", j->state.serial),
            KU("entries", j->state.entries), KU("added", j->result.added), KU("removed", j->result.removed),
            KU("bytes", j->result.bytes), KF("ms", (double)j->result.micros / 1000.0),
            KS("kind", j->result.bulk ? "bulk" : "difference"),
            KU("bad_lines", j->load != NULL ? j->load->report.bad_lines : 0));
    }
}

/* The job of a group that says most about the zone: the disk's trouble first, then a success. */
static const struct job *speaker(const struct job *first) {
    const struct job *good = NULL;
    for (const struct job *j = first; j != NULL; j = j->next) {
        if (!j->failed_itself && store_failed_with(j->code))
            return j;
        if (good == NULL && j->code == 0)
            good = j;
    }
    return good;
}

static bool is_outcome(const struct job *j) {
    switch (j->kind) {
    case JOB_OPEN:
    case JOB_FILES:
    case JOB_COMPACT:
    case JOB_WRITE:
        return true;
    case JOB_PUBLISH:
        return !j->load->dry_run;
    case JOB_VERIFY:
        return j->code != 0;
    case JOB_EXPIRE:
        return j->code != 0 || j->result.changed;
    default:
        return false;
    }
}

void show_job(struct keeper_zone *z, const struct job *j) {
    const struct job *about = j->kind == JOB_CHANGE ? speaker(j) : is_outcome(j) ? j : NULL;
    if (about != NULL)
        note_source(z, about);
    if (z->slot != NULL) {
        if (z->keep != NULL)
            show_state(z, j);
        if (j->kind == JOB_CHANGE)
            show_changes(z->slot, j);
        if (j->kind == JOB_COMPACT)
            show_compaction(z->slot, j);
        if (about != NULL)
            show_outcome(z, about);
    }
    if (about != NULL && (j->kind != JOB_CHANGE || about->code != 0))
        log_outcome(z, about);
}
