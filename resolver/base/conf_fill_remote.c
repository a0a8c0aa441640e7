/* node.remote: which options may come from a catalog. */
#include <string.h>

#include "resolver/base/conf_fill.h"
#include "resolver/base/conf_remote.h"

enum { TRIAL_S = 60, TRIAL_MOST_S = 3600 };

static void options(struct conf_reader *r, const char *key, const struct conf_list_text *list) {
    conf_enter(r, key);
    for (size_t i = 0; i < list->count && r->rc == E_OK; i++) {
        conf_enter_at(r, i);
        if (!conf_remote_option(list->at[i]))
            conf_fail(r, E_INVALID, NULL, "\"*\" or one of %s", conf_remote_options);
        conf_leave(r);
    }
    conf_leave(r);
}

void conf_fill_remote(struct conf_reader *r, const struct conf_raw_remote *in, struct conf_remote *out) {
    conf_enter(r, "remote");
    out->catalog = conf_take_name(r, "catalog", in->catalog, "");
    out->allow = conf_take_texts(r, "allow", in->allow);
    out->over = conf_take_texts(r, "over", in->over);
    options(r, "allow", &out->allow);
    options(r, "over", &out->over);
    out->ca = conf_take_path(r, "ca", in->ca, "");
    out->trial_s = conf_take_s(r, "trial", in->trial, TRIAL_S, 1, TRIAL_MOST_S);
    if (out->catalog[0] != '\0' && out->allow.count == 0)
        conf_fail(r, E_INVALID, "allow", "the options that may come: \"*\", or some of %s", conf_remote_options);
    if (out->catalog[0] == '\0' && out->allow.count > 0)
        conf_fail(r, E_INVALID, "catalog", "the catalog that they come from");
    conf_leave(r);
}

void conf_cross_remote(struct conf_reader *r) {
    const struct conf_rbl *rbl = &r->conf->rbl;
    const char *name = r->conf->node.remote.catalog;
    for (size_t i = 0; i < rbl->catalog_count; i++)
        if (strcmp(rbl->catalogs[i].name, name) == 0 && rbl->catalogs[i].primaries.count > 0)
            return;
    if (name[0] == '\0')
        return;
    conf_enter(r, "node");
    conf_enter(r, "remote");
    conf_fail(r, E_INVALID, "catalog", "a catalog of rbl.catalogs that has primaries");
    conf_leave(r);
    conf_leave(r);
}
