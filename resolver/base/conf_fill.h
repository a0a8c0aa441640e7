/* From the text form to the public one, a section each, in this order: keys of rbl are named by other sections.
 * Private to conf*.c. */
#ifndef CANDOR_BASE_CONF_FILL_H
#define CANDOR_BASE_CONF_FILL_H

#include "resolver/base/conf_raw.h"
#include "resolver/base/conf_take.h"

void conf_fill_node(struct conf_reader *r, const struct conf_raw_node *in, struct conf_node *out);
void conf_fill_remote(struct conf_reader *r, const struct conf_raw_remote *in, struct conf_remote *out);
/* After the catalogs: node.remote.catalog is one that is followed. */
void conf_cross_remote(struct conf_reader *r);
void conf_fill_log(struct conf_reader *r, const struct conf_raw_log *in, struct conf_log *out);
void conf_fill_rbl(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out);
void conf_fill_resolver(struct conf_reader *r, const struct conf_raw_resolver *in, struct conf_resolver *out);
void conf_fill_health(struct conf_reader *r, const struct conf_raw_health *in, struct conf_health *out);
struct conf_raw_sink;
struct conf_raw_monitor;
void conf_fill_report(struct conf_reader *r, const struct conf_raw_health *in, struct conf_health *out);
void conf_fill_monitor(struct conf_reader *r, const struct conf_raw_monitor *in, struct conf_health *out);
/* What a sink takes besides its address. */
enum conf_sink_kind {
    CONF_SINK_DATAGRAM,
    CONF_SINK_HTTPS,
    CONF_SINK_DEAD_MAN,
    CONF_SINK_ALERTMANAGER,
    CONF_SINK_WEBHOOK
};
struct conf_sink *conf_fill_sinks(struct conf_reader *r, const char *key, const struct conf_raw_sink *in, size_t count,
                                  enum conf_sink_kind kind);

/* The entry of rbl.zones, or of another list of zones, that was entered. */
struct conf_raw_zone;
void conf_fill_zone(struct conf_reader *r, const struct conf_raw_zone *in, struct conf_zone *out);
/* After the zones; each catalog takes a place among them. */
void conf_fill_catalogs(struct conf_reader *r, const struct conf_raw_rbl *in, struct conf_rbl *out);

void conf_fill_tls(struct conf_reader *r, const char *key, const struct conf_raw_tls *in, struct conf_tls *out);
struct conf_raw_peer; /* conf_raw_health.h */
void conf_fill_peers(struct conf_reader *r, const char *key, const struct conf_raw_peer *in, size_t count,
                     struct conf_peer **out);
enum conf_test conf_take_test(struct conf_reader *r, const char *key, const char *raw);

/* What spans sections: no port taken twice, no more upstreams than the board has room for. */
void conf_cross_check(struct conf_reader *r);
/* Fills conf.later with the keys that were given and do nothing yet. */
void conf_list_later(struct conf_reader *r, const struct conf_tree *root);

#endif
