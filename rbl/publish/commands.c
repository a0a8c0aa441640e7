#include "rbl/publish/commands.h"

#include "rbl/publish/command.h"

static const struct command *const commands[] = {&command_publish, &command_change, &command_why,
                                                 &command_history, &command_verify, &command_compact};

unsigned command_holds(const struct conf_zone *zone) {
    static const unsigned holds[DATASET_TYPES] = {[DATASET_IP4SET] = HOLDS_IP4,
                                                  [DATASET_IP4TSET] = HOLDS_IP4,
                                                  [DATASET_IP4TRIE] = HOLDS_IP4,
                                                  [DATASET_IP6TSET] = HOLDS_IP6,
                                                  [DATASET_IP6TRIE] = HOLDS_IP6,
                                                  [DATASET_DNSET] = HOLDS_NAMES,
                                                  [DATASET_GENERIC] = HOLDS_RRS,
                                                  [DATASET_COMBINED] = HOLDS_IP4 | HOLDS_IP6 | HOLDS_NAMES,
                                                  [DATASET_ACL] = 0};
    unsigned found = 0;
    for (size_t i = 0; i < zone->data_count; i++)
        found |= holds[zone->data[i].type];
    return found;
}

int command_fill_nothing(struct job *j, const struct conf_zone *zone, const json_t *doc, struct err *err) {
    (void)j;
    (void)zone;
    (void)doc;
    (void)err;
    return 0;
}

static int start_in_zone(struct keeper *k, const struct command *c, const char *zone, struct control_call *call,
                         const json_t *doc, struct err *err) {
    int at = keeper_find(k, zone);
    if (at < 0)
        return err_set(err, E_NOTFOUND, "zone %.300s is not in this node's configuration", zone);
    struct job *j = job_new(c->kind);
    if (j == NULL)
        return err_set(err, E_NOMEM, "no memory");
    j->done = c->done;
    j->ctx = call;
    int rc = c->fill(j, keeper_zone_conf(k, at), doc, err);
    if (rc == 0)
        rc = keeper_submit(k, at, j, err);
    if (rc < 0)
        job_free(j);
    return rc;
}

static int start(struct keeper *k, struct control_call *call, const json_t *doc, struct err *err) {
    const json_t *zone = json_object_get(doc, "zone");
    const char *name = json_string_value(json_object_get(doc, "command"));
    size_t i = 0;
    while (i < ARRAY_SIZE(commands) && (name == NULL || strcmp(name, commands[i]->name) != 0))
        i++;
    if (i == ARRAY_SIZE(commands))
        return err_set(err, E_INVALID, "\"command\": expected publish, change, why, history, verify or compact");
    if (zone == NULL && commands[i]->everywhere != NULL)
        return commands[i]->everywhere(k, call, doc, err);
    if (!json_is_string(zone))
        return err_set(err, E_INVALID, "\"zone\": expected the name of a zone");
    return start_in_zone(k, commands[i], json_string_value(zone), call, doc, err);
}

void commands_handle(void *ctx, struct control_call *call, const char *line, size_t size) {
    struct err err = {0};
    json_error_t at;
    json_t *doc = json_loadb(line, size, JSON_REJECT_DUPLICATES, &at);
    int rc = json_is_object(doc)
                 ? start(ctx, call, doc, &err)
                 : err_set(&err, E_INVALID, "expected one JSON object a line: %s at column %d", at.text, at.column);
    json_decref(doc);
    if (rc < 0)
        answer_error(call, rc, err.text);
}
