#include "health/command/health_port.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "health/command/fetch.h"
#include "health/command/out.h"
#include "resolver/base/clock.h"

bool health_port_there(const struct conf *conf, const char *command) {
    if (conf->health.listen.count > 0)
        return true;
    fprintf(stderr, "candor %s: health.listen is empty: this node has no health port\n", command);
    return false;
}

struct addr health_port_address(const struct conf *conf) {
    struct addr a = conf->health.listen.at[0], loopback;
    if (addr_is_any(&a) &&
        addr_parse(&loopback, addr_family(&a) == AF_INET6 ? "::1" : "127.0.0.1", addr_port(&a), NULL) == 0)
        return loopback;
    return a;
}

int health_port_get(const struct conf *conf, const char *path, unsigned timeout_ms, json_t **doc, struct err *err) {
    struct addr server = health_port_address(conf);
    char *body = NULL, clean[ERR_TEXT_MAX];
    long http;
    *doc = NULL;
    int rc = fetch_within(&server, path, timeout_ms, &http, &body, err);
    if (rc == 0) {
        *doc = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(*doc)) {
            json_decref(*doc);
            *doc = NULL;
            rc = err_set(err, E_INVALID, "the health port gave something that is no document (HTTP %ld)", http);
        }
    }
    free(body);
    if (rc < 0 && err != NULL) {
        out_clean(clean, sizeof clean, err->text, strlen(err->text));
        memcpy(err->text, clean, sizeof clean);
    }
    return rc;
}

double health_port_age_s(const char *time_text) {
    struct tm tm = {0};
    if (strptime(time_text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
        return -1;
    double age = (double)clock_wall_ms() / 1000 - (double)timegm(&tm);
    return age > 0 ? age : 0;
}
