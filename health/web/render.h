/* Between the files of this room: the bodies that a snapshot renders ahead. */
#ifndef CANDOR_WEB_RENDER_H
#define CANDOR_WEB_RENDER_H

#include "health/web/snapshot.h"

/* "component:measurement":[{...},...],... of one scope's checks. */
void render_checks(struct text *t, const struct verdict_book *b, enum verdict_scope scope);
/* What clients live through: "window":{...},... without braces. */
void render_lived(struct text *t, const struct snapshot_source *s);
/* "node":{"1m":{...},...},... of all series that there are. */
void render_availability(struct text *t, const struct snapshot_source *s);
/* Everything but the verdicts by scope. */
void render_metrics(struct text *t, const struct snapshot_source *s, bool open, uint64_t sequence, int64_t mono_ms,
                    int64_t wall_ms);
void render_page(struct text *t, const struct snapshot_source *s, int64_t mono_ms, int64_t wall_ms);
/* Replication: "zone":{...,"links":[...]},... without braces. */
void render_replica(struct text *t, const struct snapshot_source *s, int64_t wall_ms);
/* Peers by name, the matrix of who sees whom, and this node's own view. `whole`: its scopes are there already. */
void render_peers(struct text *t, const struct snapshot_source *s, int64_t mono_ms);
void render_matrix(struct text *t, const struct snapshot_source *s);
/* `:{"udp/ip4":"good",...}`: one node's ways to another, behind a key. */
void render_ways(struct text *t, const struct matrix *m, size_t from, size_t to);
void render_view(struct snapshot_view *v, const struct snapshot_source *s, const struct snapshot *whole);

#endif
