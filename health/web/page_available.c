/* Windows of availability on the status page: the node's readiness, its scopes, and what clients got. */
#include "health/web/page_part.h"

static void put_share(struct text *t, const struct availability *a, int series, int window) {
    struct availability_share s;
    text_put(t, "<td class=\"n\">");
    if (availability_share(a, series, window, &s)) {
        text_fmt(t, "%.3f %%", 100 * s.ratio);
        if (s.measured < 0.995)
            text_fmt(t, " <small>of %.0f %% known</small>", 100 * s.measured);
    }
    text_put(t, "</td>");
}

void page_availability(struct text *t, const struct snapshot_source *s) {
    struct availability_share any;
    const struct availability *a = s->ledger != NULL ? ledger_availability(s->ledger) : NULL;
    if (a == NULL || !availability_share(a, AVAILABILITY_NODE, 0, &any))
        return;
    page_open(t, "Availability");
    text_put(t, "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Of</th>");
    for (int w = 0; w < AVAILABILITY_WINDOWS; w++)
        text_fmt(t, "<th scope=\"col\" class=\"n\">%s</th>", availability_window_name(w));
    text_put(t, "</tr></thead><tbody>");
    for (int i = AVAILABILITY_SERIES; i-- > 0;) {
        if (!availability_share(a, i, 0, &any))
            continue;
        page_row(t, availability_series_name(i));
        for (int w = 0; w < AVAILABILITY_WINDOWS; w++)
            put_share(t, a, i, w);
        text_put(t, "</tr>");
    }
    page_rows_end(t);
    text_put(t, "<p>Time of which nothing is known counts against the node.</p></section>");
}
