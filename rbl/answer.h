/* Blocklist zones as a source for the resolver (resolver/serve/source.h): question in, RRs out (RFC 5782). */
#ifndef CANDOR_RBL_ANSWER_H
#define CANDOR_RBL_ANSWER_H

#include "resolver/base/board.h"
#include "resolver/base/conf.h"
#include "resolver/serve/source.h"

/* Opens all zones of the configuration for reading. A zone that is not there yet is asked for again each second and
 * answers SERVFAIL with EDE Not Ready until then; one broken zone is one broken zone. `board` (may be NULL) tells when
 * a zone has a new commit. */
int answer_open(struct source *s, const struct conf *conf, const struct board *board, struct err *err) MUST_USE;
/* From now on questions are counted by zone (board_asked). */
void answer_count_on(struct source *s, struct board *board);
void answer_close(struct source *s);

#endif
