/* What candor-sync answers on its control socket: one JSON object a line in, one out.
 *
 *   {"command":"publish","zone":Z,"files":[{"type":T,"path":P}...],"dry_run":B,"force":REASON|null}
 *   {"command":"why","zone":Z,"what":ADDRESS|NAME}     {"command":"history","zone":Z}
 *   {"command":"verify","zone":Z}
 *
 * Answers carry "ok"; when it is false, "code" (err_name) and "error". `publish` answers after the change is durable.
 */
#ifndef CANDOR_RBL_PUBLISH_COMMANDS_H
#define CANDOR_RBL_PUBLISH_COMMANDS_H

#include "rbl/publish/keeper.h"
#include "resolver/net/control.h"

/* The control handler; `ctx` is the struct keeper. */
void commands_handle(void *ctx, struct control_call *call, const char *line, size_t size);

#endif
