/* What the control socket is asked of zones that come from primaries. */
#include "rbl/publish/command.h"
#include "rbl/secondary/impl.h"

static int refresh(struct secondary *in, struct control_call *call, const json_t *doc, struct err *err) {
    const char *name = json_string_value(json_object_get(doc, "zone"));
    if (name == NULL)
        return err_set(err, E_INVALID, "\"zone\": expected the name of a zone");
    int zone = keeper_find(in->c.keeper, name);
    if (zone < 0)
        return err_set(err, E_NOTFOUND, "zone %.300s is not in this node's configuration", name);
    int count = secondary_refresh(in, zone, json_is_true(json_object_get(doc, "whole")), err);
    if (count >= 0)
        answer_json(call, json_pack("{s:b,s:i}", "ok", 1, "primaries", count));
    return count;
}

bool secondary_control(struct secondary *in, struct control_call *call, const char *line, size_t size) {
    struct err err = {0};
    json_t *doc = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
    const char *command = json_string_value(json_object_get(doc, "command"));
    bool ours = command != NULL && strcmp(command, "refresh") == 0;
    int rc = ours ? refresh(in, call, doc, &err) : 0;
    if (rc < 0)
        answer_error(call, rc, err.text);
    json_decref(doc);
    return ours;
}
