/* Parts of a health document for candor status: what an operator looks for first. */
#ifndef CANDOR_COMMAND_GLANCE_H
#define CANDOR_COMMAND_GLANCE_H

#include <jansson.h>
#include <stdio.h>

/* Each scope: state, since when, and of those that do not pass why. */
void glance_scopes(const json_t *doc, FILE *to);
/* Peers and what they say; nothing when the document has none. */
void glance_peers(const json_t *doc, FILE *to);
/* Availability by window; nothing when the document has none. */
void glance_availability(const json_t *doc, FILE *to);

#endif
