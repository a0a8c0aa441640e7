#include "tests/unit/resolver/base/conf_helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct conf *conf_of(const char *text) {
    struct err err = {0};
    struct conf *conf;
    if (conf_read_text(&conf, text, strlen(text), "/base", "t", &err) != E_OK)
        fail_msg("%s\nin: %s", err.text, text);
    assert_non_null(conf);
    return conf;
}

int conf_has_later(const struct conf *conf, const char *line) {
    for (size_t i = 0; i < conf->later.count; i++)
        if (strcmp(conf->later.at[i], line) == 0)
            return 1;
    return 0;
}
