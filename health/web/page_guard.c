/* Remote lists on the status page: what they are marked as, since when, and what of theirs was withheld. */
#include "health/web/page_part.h"

static enum verdict_state state_of(uint64_t mark) {
    return mark == GUARD_MARK_GOOD ? VERDICT_PASS : mark == GUARD_MARK_NONE ? VERDICT_UNKNOWN : VERDICT_FAIL;
}

static void put_list(struct text *t, const struct snapshot_source *s, size_t list, int64_t mono_ms) {
    static const char *const words[GUARD_MARKS] = {"not known",
                                                   "as it should be",
                                                   "refuses us: its codes are no listings",
                                                   "lists the world: not believed",
                                                   "has not what every list has",
                                                   "silent: not asked"};
    const struct board *b = s->board;
    bool counts = (int64_t)board_get(&b->guard[list].until_ms) > mono_ms;
    uint64_t mark = counts ? board_get(&b->guard[list].mark) : GUARD_MARK_NONE;
    page_row(t, s->conf->resolver.guard[list].name);
    text_put(t, "<td>");
    page_state(t, state_of(mark));
    text_put(t, "</td>");
    page_cell(t, words[mark < GUARD_MARKS ? mark : GUARD_MARK_NONE]);
    text_put(t, "<td>");
    page_clock(t, (int64_t)board_get(&b->guard[list].since_wall_s) * 1000);
    text_put(t, "</td>");
    page_number(t, board_get(&b->guard[list].changes));
    for (int why = 0; why < WITHHELD_COUNT; why++) {
        uint64_t n = 0;
        for (unsigned w = 0; w < LIMIT_WORKERS; w++)
            n += board_get(&b->worker[w].guard[list][why]);
        page_number(t, n);
    }
    text_put(t, "</tr>");
}

void page_guard(struct text *t, const struct snapshot_source *s, int64_t mono_ms) {
    size_t count = s->conf->resolver.guard_count;
    if (count == 0)
        return;
    page_table(t, "Remote lists",
               "List|Verdict|It|Since (UTC)|#Changes|#Refused|#Not 127.0.0.0/8|#World|#Silent|#Late");
    for (size_t i = 0; i < count && i < LIMIT_GUARDS; i++)
        put_list(t, s, i, mono_ms);
    page_table_end(t);
}
