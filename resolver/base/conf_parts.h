/* Parts that several sections of the configuration share (conf.h). */
#ifndef CANDOR_BASE_CONF_PARTS_H
#define CANDOR_BASE_CONF_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/base/addr.h"

struct conf_list_text {
    const char **at;
    size_t count;
};
struct conf_list_addr {
    struct addr *at;
    size_t count;
};
struct conf_list_prefix {
    struct prefix *at;
    size_t count;
};

/* Files: absolute paths, "" when not set. */
struct conf_tls {
    const char *certificate, *key, *ca; /* ca: of clients that must show a certificate (rbl.tls) */
    struct conf_list_addr listen;
};

/* Which points RFC 5782 says a list of this kind must and must not have. TEST_UNSET: the key is not there. */
enum conf_test { TEST_UNSET, TEST_NONE, TEST_RFC5782_IP4, TEST_RFC5782_IP6, TEST_RFC5782_DOMAIN };

#endif
