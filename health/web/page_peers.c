/* Peers on the status page: what this node gets from each, what each says, and who sees whom. */
#include <stdio.h>
#include <string.h>

#include "health/web/page_part.h"

static const char *state_words(enum peers_state s) {
    static const char *const words[] = {"unknown", "well", "in part", "gone"};
    return (unsigned)s < ARRAY_SIZE(words) ? words[s] : "?";
}

/* What a peer says of this node: its word, not ours. */
static const char *sees_us(const struct peers_known *k, const struct peers_peer *p) {
    static const char *const words[] = {"not asked", "yes", "no"};
    int from = matrix_find(&k->matrix, p->conf->name);
    enum seen_state s = from < 0 ? SEEN_UNKNOWN : matrix_sees(&k->matrix, (size_t)from, 0);
    return s == SEEN_GOOD ? words[1] : s == SEEN_BAD ? words[2] : words[0];
}

static void put_peer(struct text *t, const struct peers_known *k, const struct peers_peer *p, int64_t mono_ms) {
    page_row(t, p->conf->name);
    page_cell(t, state_words(p->state));
    page_value(t, phi_now(&p->phi, mono_ms), 1, "");
    text_put(t, "<td>");
    if (peer_is_fresh(k, p, mono_ms)) {
        page_state(t, p->view.status);
        text_put(t, p->view.ready ? ", ready" : ", not ready");
    } else {
        text_put(t, "no fresh word");
    }
    text_put(t, "</td>");
    page_cell(t, sees_us(k, p));
    page_cell(t, p->disagrees ? "disagrees with what this node says of itself" : "");
    text_put(t, "<td class=\"n\">");
    if (p->offset_known)
        text_fmt(t, "%+.1f s", (double)p->offset_ms / 1000);
    text_put(t, "</td>");
    page_age(t, p->heard_ms > 0 ? mono_ms - p->heard_ms : -1);
    text_put(t, "</tr>");
}

/* "udp/ip4 tcp/ip4" of the ways that are as said. */
static void put_ways(struct text *t, const struct matrix *m, size_t from, size_t to, enum seen_state want) {
    const char *between = "";
    for (int by = 0; by < SEEN_WAYS; by++)
        for (int ip6 = 0; ip6 < MATRIX_FAMILIES; ip6++) {
            if (matrix_get(m, from, to, (enum seen_by)by, ip6 != 0) != want)
                continue;
            text_fmt(t, "%s%s/%s", between, seen_by_name((enum seen_by)by), ip6 ? "ip6" : "ip4");
            between = ", ";
        }
}

static void put_sight(struct text *t, const struct matrix *m, size_t from, size_t to) {
    enum seen_state s = matrix_sees(m, from, to);
    text_put(t, "<td>");
    if (from == to) {
        text_put(t, "itself");
    } else if (s == SEEN_UNKNOWN) {
        text_put(t, "not known");
    } else {
        page_state(t, s == SEEN_GOOD ? VERDICT_PASS : VERDICT_FAIL);
        text_put(t, " ");
        put_ways(t, m, from, to, s);
    }
    text_put(t, "</td>");
}

static void put_matrix(struct text *t, const struct matrix *m) {
    if (m->count < 2)
        return;
    page_open(t, "Who sees whom");
    text_put(t, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">From, to</th>");
    for (size_t to = 0; to < m->count; to++) {
        text_put(t, "<th scope=\"col\">");
        text_html(t, m->name[to]);
        text_put(t, "</th>");
    }
    text_put(t, "</tr></thead><tbody>");
    for (size_t from = 0; from < m->count; from++) {
        page_row(t, m->name[from]);
        for (size_t to = 0; to < m->count; to++)
            put_sight(t, m, from, to);
        text_put(t, "</tr>");
    }
    page_table_end(t);
}

void page_peers(struct text *t, const struct snapshot_source *s, int64_t mono_ms) {
    const struct peers_known *k = s->peers;
    if (k == NULL || k->count == 0)
        return;
    const struct peers_summary *sum = &k->summary;
    page_table(t, "Peers", "Peer|Is|#Phi|Says of itself|Gets answers here|Disagreement|#Its clock|#Heard ago");
    for (size_t i = 0; i < k->count; i++)
        put_peer(t, k, &k->peer[i], mono_ms);
    page_rows_end(t);
    text_fmt(t,
             "<p>%u of %u peers are heard, %u are ready; of %u whose word is fresh, %u get no right answer "
             "here.%s</p></section>",
             sum->heard, sum->configured, sum->ready, sum->see_us, sum->miss_us,
             sum->cut_off ? " <b class=\"fail\">This node is the one that is cut off.</b>" : "");
    put_matrix(t, &k->matrix);
}
