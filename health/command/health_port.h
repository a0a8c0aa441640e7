/* This node's health port, asked by the commands of an operator: an address of the configuration, never a name. */
#ifndef CANDOR_COMMAND_HEALTH_PORT_H
#define CANDOR_COMMAND_HEALTH_PORT_H

#include <jansson.h>

#include "resolver/base/conf.h"

/* Whether the node has one; says so on stderr when not: "candor COMMAND: ...". */
bool health_port_there(const struct conf *conf, const char *command);
/* Where it is asked: the first of health.listen, the loopback when that means "all". */
struct addr health_port_address(const struct conf *conf);
/* GET of `path`. 0 with *doc, the caller's, whatever the status code; E_TIMEOUT, E_CLOSED as fetch(); E_INVALID: an
 * answer that is no JSON object. Texts of errors are cleaned for the terminal. */
int health_port_get(const struct conf *conf, const char *path, unsigned timeout_ms, json_t **doc,
                    struct err *err) MUST_USE;

/* Seconds since a time of a document ("2026-11-22T10:00:00.123Z"), 0 for the future; < 0: it is none. */
double health_port_age_s(const char *time_text);

#endif
