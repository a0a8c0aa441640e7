/* Between the files that make the status page: words and cells that all of them use, and the parts, in their order. */
#ifndef CANDOR_WEB_PAGE_PART_H
#define CANDOR_WEB_PAGE_PART_H

#include "health/web/render.h"

/* Rows of a table; the rest is counted. Of a monitor's nodes few: they stand in the fleet. */
enum { PAGE_ROWS = 100, PAGE_WATCHED_ROWS = 20, PAGE_HISTORY = 50 };

/* "<b class="pass">pass</b>" */
void page_state(struct text *t, enum verdict_state s);
/* "2026-11-22 10:00:00" (UTC), which no line is broken in; "never" for 0. */
void page_clock(struct text *t, int64_t wall_ms);
/* A section and its heading, whose words in small letters are its id. Closed by "</section>". */
void page_open(struct text *t, const char *title);
/* A table and its first row; `columns` apart by '|', those of numbers with '#' before them. Closed by
 * page_rows_end. */
void page_columns(struct text *t, const char *columns);
void page_rows_end(struct text *t);
/* Both at once. Closed by page_table_end. */
void page_table(struct text *t, const char *title, const char *columns);
void page_table_end(struct text *t);
/* "<tr><th scope="row">NAME</th>" */
void page_row(struct text *t, const char *name);
void page_cell(struct text *t, const char *what);
void page_number(struct text *t, uint64_t n);
/* "%.*f unit", right aligned; empty for what is not known (< 0). */
void page_value(struct text *t, double value, int digits, const char *unit);
/* "3 min" of a time of the wall clock; empty: never. */
void page_age(struct text *t, int64_t age_ms);

/* Five answers: since when, where, what others see, who hears it, what changed last. */
void page_glance(struct text *t, const struct snapshot_source *s, int64_t wall_ms);
/* What a monitor knows of its nodes; nothing when it is none. */
void page_fleet(struct text *t, const struct snapshot_source *s, int64_t mono_ms);
void page_scopes(struct text *t, const struct snapshot_source *s);
/* The checks of a scope; SCOPE_COUNT: all that do not pass. */
void page_checks(struct text *t, const char *title, const struct verdict_book *b, enum verdict_scope scope);
void page_peers(struct text *t, const struct snapshot_source *s, int64_t mono_ms);
void page_availability(struct text *t, const struct snapshot_source *s);
void page_timeline(struct text *t, const struct verdict_book *b);
void page_zones(struct text *t, const struct snapshot_source *s, int64_t wall_ms);
void page_guard(struct text *t, const struct snapshot_source *s, int64_t mono_ms);
void page_replica(struct text *t, const struct snapshot_source *s, int64_t wall_ms); /* replica.c */
void page_traffic(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms);
/* Five minutes of `p` as lines, and as numbers for the charts of script. */
void page_charts(struct text *t, const struct pulse *p, int64_t mono_ms, int64_t wall_ms);
void page_workers(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms);
void page_upstreams(struct text *t, const struct snapshot_source *s, int64_t wall_ms);
void page_capacity(struct text *t, const struct snapshot_source *s);
void page_reporting(struct text *t, const struct snapshot_source *s, int64_t wall_ms);

#endif
