/* promote and demote. */
#include <jansson.h>
#include <stdlib.h>

#include "rbl/pair/impl.h"

static void answer_error(struct control_call *call, int code, const char *why) {
    json_t *doc = json_pack("{s:b,s:s,s:s}", "ok", 0, "code", err_name(code), "error", why);
    char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    if (text != NULL)
        control_answer(call, text);
    else
        control_answer(call, "{\"ok\":false}");
    free(text);
    json_decref(doc);
}

static int promote(struct pair_zone *z, bool force, struct control_call *call, struct err *err) {
    struct role_file next = z->role;
    struct said own;
    if (z->role.active && !z->conflict)
        return err_set(err, E_EXISTS, "this node is the active one already, epoch %u", z->role.epoch);
    if (!force && zone_heard(z) && z->other.active)
        return err_set(err, E_REFUSED,
                       "%s (%s) answers and is active: candor demote %s there first, or --force REASON here",
                       z->other.name, mate_text(z->mate), z->conf->name);
    zone_said(z, &own);
    if (!force && zone_heard(z) && z->other.have && (!own.have || (int32_t)(z->other.serial - own.serial) > 0))
        return err_set(err, E_AGAIN, "%s (%s) has serial %u, this node %u: wait until all of it has come, or --force",
                       z->other.name, mate_text(z->mate), z->other.serial, own.serial);
    next.active = true;
    next.epoch = (z->heard && z->other.epoch > z->role.epoch ? z->other.epoch : z->role.epoch) + 1;
    return turn_start(z, TURN_PROMOTE, &next, call, err);
}

static int demote(struct pair_zone *z, struct control_call *call, struct err *err) {
    struct role_file next = z->role;
    if (!z->role.active)
        return err_set(err, E_EXISTS, "this node is a standby already, epoch %u", z->role.epoch);
    next.active = false;
    return turn_start(z, TURN_DEMOTE, &next, call, err);
}

static int start(struct pair *p, struct control_call *call, const json_t *doc, bool up, struct err *err) {
    const char *name = json_string_value(json_object_get(doc, "zone"));
    if (name == NULL)
        return err_set(err, E_INVALID, "\"zone\": expected the name of a zone");
    int zone = keeper_find(p->c.keeper, name);
    if (zone < 0)
        return err_set(err, E_NOTFOUND, "zone %.300s is not in this node's configuration", name);
    struct pair_zone *z = p->zone[zone];
    if (z == NULL)
        return err_set(err, E_UNSUPPORTED, "zone %.300s has no `pair`: nobody can take its place", name);
    return up ? promote(z, json_is_string(json_object_get(doc, "force")), call, err) : demote(z, call, err);
}

bool pair_control(struct pair *p, struct control_call *call, const char *line, size_t size) {
    struct err err = {0};
    json_error_t at;
    json_t *doc = json_loadb(line, size, JSON_REJECT_DUPLICATES, &at);
    const char *command = json_string_value(json_object_get(doc, "command"));
    bool up = command != NULL && strcmp(command, "promote") == 0;
    bool ours = up || (command != NULL && strcmp(command, "demote") == 0);
    bool changes = command != NULL && (strcmp(command, "change") == 0 || strcmp(command, "publish") == 0);
    const char *name = json_string_value(json_object_get(doc, "zone"));
    int rc = 0;
    if (ours) {
        rc = start(p, call, doc, up, &err);
    } else if (changes && name != NULL) {
        int zone = keeper_find(p->c.keeper, name);
        rc = zone >= 0 ? pair_writable(p, zone, &err) : 0;
        ours = rc < 0;
    }
    json_decref(doc);
    if (rc < 0)
        answer_error(call, rc, err.text);
    return ours;
}
