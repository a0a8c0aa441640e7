/* What each file of this room adds to the prober: its checks and tasks, and what the others may ask of it. Part of
 * health/probe/impl.h, which includes it. */
#ifndef CANDOR_PROBE_PARTS_H
#define CANDOR_PROBE_PARTS_H

#include "health/probe/answer.h"
#include "health/verdict/verdict.h"
#include "resolver/base/board.h"
#include "resolver/base/conf.h"

struct ask_plan;
struct prober;
struct vital;

/* canary.c: the name that canary:uncached goes under; NULL: it is not asked. */
const char *canary_base(const struct prober *p);
/* Whether a forwarder (NULL: any) is configured for the name. */
bool canary_is_forwarded(const struct conf *conf, const struct name *n, const struct addr *by);
/* Makes a plan to ask a forwarder one over TLS, if the forwarder is asked so: nothing goes there in the clear. */
void canary_over_tls(const struct conf *conf, struct ask_plan *plan);
/* Random names are asked for in so many ms at the latest, of forwarders and through the node. */
void canary_hurry(struct prober *p, uint32_t within_ms);
/* Whether labels that forwarders are being asked for have come back. */
void canary_look_back(struct prober *p);
/* signed.c: what the answer to a name with right signatures, or with wrong ones (bogus), means; `direct`: given by a
 * forwarder, which says by AD that it validated. */
enum verdict_state signed_judge(bool bogus, bool direct, const struct answer *a, char *came, size_t size);
int64_t build_epoch_s(void); /* built.c */

/* One file each: adds its checks and tasks to the prober. */
int worker_open(struct prober *p) MUST_USE;
int tcp_probe_open(struct prober *p) MUST_USE;
int dot_open(struct prober *p) MUST_USE;
void heal_role(struct prober *p, enum board_role role, const struct verdict_check *c, const struct vital *v,
               int64_t *healed_ms);
void heal_worker(struct prober *p, unsigned w, const struct vital *v);
int process_open(struct prober *p) MUST_USE;
int machine_open(struct prober *p) MUST_USE;
int pool_open(struct prober *p) MUST_USE; /* behind machine_open */
int stray_open(struct prober *p) MUST_USE;
int zone_open(struct prober *p) MUST_USE;
void zone_changed(struct prober *p, size_t place); /* another zone, none, or other options */
int guard_open(struct prober *p) MUST_USE;
int canary_open(struct prober *p) MUST_USE;
int authority_open(struct prober *p) MUST_USE;
int storage_open(struct prober *p) MUST_USE;
int large_open(struct prober *p) MUST_USE;
int loop_probe_open(struct prober *p) MUST_USE;
int clock_open(struct prober *p) MUST_USE;
int stuck_open(struct prober *p) MUST_USE; /* behind canary_open */
int signed_open(struct prober *p) MUST_USE;
int lived_open_probe(struct prober *p) MUST_USE; /* behind canary_open */
int replica_open(struct prober *p) MUST_USE;
/* Whether the zone goes to this node by the native option, as far as the board was last looked at. */
bool replica_is_native(const struct prober *p, size_t zone, const char *peer);
int far_open(struct prober *p) MUST_USE;
int catalog_open(struct prober *p) MUST_USE;
int config_open(struct prober *p) MUST_USE;
int report_open(struct prober *p) MUST_USE;
int monitor_open(struct prober *p) MUST_USE;
int alert_open(struct prober *p) MUST_USE; /* behind monitor_open */
size_t alert_checks(const struct conf *c); /* at most */
int peer_open(struct prober *p) MUST_USE;
void worker_close(struct prober *p);
void tcp_probe_close(struct prober *p);
void dot_close(struct prober *p);
void process_close(struct prober *p);
void machine_close(struct prober *p);
void pool_close(struct prober *p);
void stray_close(struct prober *p);
void zone_close(struct prober *p);
void guard_close(struct prober *p);
void canary_close(struct prober *p);
void authority_close(struct prober *p);
void storage_close(struct prober *p);
void large_close(struct prober *p);
void loop_probe_close(struct prober *p);
void clock_close(struct prober *p);
void stuck_close(struct prober *p);
void signed_close(struct prober *p);
void lived_close_probe(struct prober *p);
void replica_close(struct prober *p);
void far_close(struct prober *p);
void catalog_close(struct prober *p);
void config_close(struct prober *p);
void report_close(struct prober *p);
void monitor_close(struct prober *p);
void alert_close(struct prober *p);
void peer_close(struct prober *p);

/* Where to ask what listens there: loopback for an any-address. */
struct addr target_address(const struct addr *listen);
/* target.c: what `resolver.listen` says of an address; and the verdict on target `i` with that in mind: sets whether
 * readiness hangs on the check, adds words to `came`. */
enum target_kind target_kind(const struct conf *c, const struct addr *a);
enum verdict_state target_settle(struct prober *p, size_t i, size_t check, enum verdict_state s, char *came,
                                 size_t size);
/* Where to ask about anything but the address itself: one that answers, so that a broken address family is not held
 * against zones as well; the first where none does. There is a target. */
const struct addr *target_best(const struct prober *p);
/* Made and looked at along with machine.c; true: a check is on its way to another state. late: a worker's loop is. */
int load_open(struct prober *p) MUST_USE;
bool load_look(struct prober *p, bool *late);
void load_close(struct prober *p);
int starts_open(struct prober *p) MUST_USE;
bool starts_look(struct prober *p);
void starts_close(struct prober *p);
/* certificate.c: the end of one that a server on the way out showed, into a check; 0: none was seen yet, which is warn.
 */
void certificate_judge(struct prober *p, size_t check, const char *address, int64_t not_after_wall_s);
/* A check asked each local interval, on which readiness does not hang; its index in *at. */
int machine_add_check(struct prober *p, enum verdict_scope scope, const char *component, const char *measurement,
                      const char *id, size_t *at) MUST_USE;

#endif
