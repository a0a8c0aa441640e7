/* What candor-sync answers on its control socket: one JSON object a line in, one out.
 *
 *   {"command":"publish","zone":Z,"files":[{"type":T,"path":P}...],"dry_run":B,"force":REASON|null}
 *   {"command":"change","zone":Z,"remove":B,"entries":[{"entry":E,"value":V|null,"for_s":S}...],
 *    "force":REASON|null}
 *   {"command":"why","zone":Z,"what":ADDRESS|NAME}     without "zone": all zones of the node
 *   {"command":"history","zone":Z}     {"command":"verify","zone":Z}     {"command":"compact","zone":Z}
 *
 * `publish` makes the contents of the files those of the zone, `change` adds or takes away single entries beside them:
 * E is an address, prefix, range, "name", "*.name", ".name" (both) or "!" and one of these (an exclusion), V what a
 * data file would have behind it (":127.0.0.2:text", of generic data ":A 192.0.2.1"; null: 127.0.0.2; with "remove":
 * any value). S seconds after which it goes by itself (with "remove": comes back when a file lists it), 0: it stays. At
 * most CHANGE_ENTRIES entries; all of them or none.
 *
 * Answers carry "ok"; when it is false, "code" (err_name) and "error", and as far as they are known "serial",
 * "entries", "added", "removed": what stayed, and what would have changed. `publish` and `change` answer when the
 * change is durable: "changed", "serial", "added", "removed", "entries", "micros", of `publish` also "bytes", "bulk",
 * "bad_lines", "first" and "notes" (texts); added and removed of `change` are this request's own.
 *
 * `why`: {"listed":B,"serial":N,"matches":[...]}; of all zones {"listed":B,"asked":N,"left_off":N,"zones":[{"zone":Z,
 * "ok":B,"listed":B,"serial":N,"matches":[...]}...]}, those alone that match or could not say. A match: "entry",
 * "type", "excluded", "value" (as a data file has it; "a" and "txt" of a list), "local", "silenced" (a local exclusion
 * keeps it from answering), "until" (goes by itself), "file" "line" "text", "since_serial" "since" "source". Nearest
 * first. */
#ifndef CANDOR_RBL_PUBLISH_COMMANDS_H
#define CANDOR_RBL_PUBLISH_COMMANDS_H

#include "rbl/publish/keeper.h"
#include "resolver/net/control.h"

enum {
    CHANGE_ENTRIES = 4096,
    CHANGE_EDITS = 8192,          /* that these may come to: a range is several prefixes */
    CHANGE_FOR_MAX_S = 315360000, /* ten years */
    WHY_ALL_MATCHES = 400         /* of all zones together; more are left off, and counted */
};

/* The control handler; `ctx` is the struct keeper. */
void commands_handle(void *ctx, struct control_call *call, const char *line, size_t size);

#endif
