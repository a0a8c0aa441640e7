/* Reading a configuration from text in tests: folder /base, label t. */
#ifndef CANDOR_TESTS_CONF_HELPER_H
#define CANDOR_TESTS_CONF_HELPER_H

#include "resolver/base/conf.h"

/* Fails the test when the text is refused. */
struct conf *conf_of(const char *text);

/* Whether one of the lines of conf.later is this one. */
int conf_has_later(const struct conf *conf, const char *line);

#endif
