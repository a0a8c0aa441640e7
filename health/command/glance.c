#include "health/command/glance.h"

#include <string.h>

#include "health/command/ask.h"
#include "health/command/health_port.h"
#include "health/command/out.h"

static const char *age(char to[32], const char *time_text) {
    double s = health_port_age_s(time_text);
    return s < 0 ? "" : out_age(to, s);
}

void glance_scopes(const json_t *doc, FILE *to) {
    json_t *scopes = json_object_get(doc, "scopes"), *scope;
    const char *name;
    if (json_object_size(scopes) == 0)
        return;
    struct out_table *t = out_table_new(4);
    out_row(t, "scope", "state", "for", "cause");
    json_object_foreach(scopes, name, scope) {
        char since[32];
        out_row(t, name, ask_text(scope, "status"), age(since, ask_text(scope, "since")), ask_text(scope, "output"));
    }
    out_table_print(t, to, "  ");
}

/* "who sees this node: 2 of 3 peers get right answers here" */
static void print_sight(const json_t *doc, FILE *to) {
    const json_t *seen = json_object_get(doc, "seen");
    if (!json_is_object(seen))
        return;
    unsigned see = (unsigned)ask_number(seen, "seeUs"), miss = (unsigned)ask_number(seen, "missUs");
    fprintf(to, "  peers: %u of %u heard, %u ready; of %u with a fresh word %u get no right answer here%s\n",
            (unsigned)ask_number(seen, "heard"), (unsigned)ask_number(seen, "of"), (unsigned)ask_number(seen, "ready"),
            see, miss, ask_true(seen, "cutOff") ? "; THIS NODE IS CUT OFF" : "");
}

void glance_peers(const json_t *doc, FILE *to) {
    json_t *peers = json_object_get(doc, "peers"), *peer;
    const char *name;
    if (json_object_size(peers) == 0)
        return;
    print_sight(doc, to);
    struct out_table *t = out_table_new(7);
    out_row(t, "peer", "is", "heard", "phi", "clock", "says", "");
    json_object_foreach(peers, name, peer) {
        const json_t *says = json_object_get(peer, "says"), *phi = json_object_get(peer, "phi");
        const json_t *offset = json_object_get(peer, "clockOffset");
        char heard[32], doubt[32] = "", clock[32] = "", word[128] = "no fresh word";
        if (json_is_number(phi))
            (void)snprintf(doubt, sizeof doubt, "%.1f", json_number_value(phi));
        if (json_is_number(offset))
            (void)snprintf(clock, sizeof clock, "%+.1f s", json_number_value(offset));
        if (json_is_object(says))
            (void)snprintf(word, sizeof word, "%.16s, %s", ask_text(says, "status"),
                           ask_true(says, "ready") ? "ready" : "not ready");
        out_row(t, name, ask_text(peer, "state"), age(heard, ask_text(peer, "heard")), doubt, clock, word,
                ask_true(peer, "disagrees") ? "disagrees on this node" : "");
    }
    out_table_print(t, to, "  ");
}

/* A share between 0 and 1, whatever stands around it. */
static double share_of(const json_t *window) {
    const json_t *ratio = json_is_object(window) ? json_object_get(window, "ratio") : window;
    return json_is_number(ratio) ? json_number_value(ratio) : -1;
}

static void print_windows(const char *series, json_t *windows, FILE *to) {
    json_t *window;
    const char *name;
    bool any = false;
    json_object_foreach(windows, name, window) {
        char clean[64];
        if (share_of(window) < 0)
            continue;
        if (!any)
            fprintf(to, "  %s:", series);
        fprintf(to, "%s %s %.5g %%", any ? "," : "", out_clean(clean, sizeof clean, name, strlen(name)),
                100 * share_of(window));
        any = true;
    }
    fprintf(to, "%s", any ? "\n" : "");
}

void glance_availability(const json_t *doc, FILE *to) {
    const json_t *all = json_object_get(doc, "availability");
    print_windows("ready", json_object_get(all, "node"), to);
    print_windows("clients answered", json_object_get(all, "clients"), to);
}
