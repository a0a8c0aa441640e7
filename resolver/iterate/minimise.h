/* How much of a name a server is shown (RFC 9156): one label more than its zone has, as long as few labels are left,
 * then in even steps, so that nobody can make a question cost more than BOUND_MINIMISE_COUNT queries by long names. */
#ifndef CANDOR_ITERATE_MINIMISE_H
#define CANDOR_ITERATE_MINIMISE_H

/* Labels to show next. `shown`: labels known to the servers of this zone so far, at first those of the zone; `total`:
 * of the whole name, more than `shown`; `steps`: how often this was asked for this name. */
unsigned minimise_next(unsigned shown, unsigned total, unsigned steps);

#endif
