#include "health/web/page_part.h"

#include <string.h>

void page_state(struct text *t, enum verdict_state s) {
    text_fmt(t, "<b class=\"%s\">%s</b>", verdict_state_name(s), verdict_state_name(s));
}

void page_clock(struct text *t, int64_t wall_ms) {
    struct text iso = {0};
    if (wall_ms <= 0) {
        text_put(t, "never");
        return;
    }
    text_time(&iso, wall_ms);
    if (iso.size > 19)
        text_fmt(t, "<span class=\"t\">%.10s %.8s</span>", iso.at, iso.at + 11);
    text_free(&iso);
}

/* "Who sees whom" -> "who-sees-whom" */
static void put_slug(struct text *t, const char *title) {
    for (; *title != '\0'; title++)
        text_fmt(t, "%c", *title >= 'A' && *title <= 'Z' ? *title + 32 : *title >= 'a' && *title <= 'z' ? *title : '-');
}

void page_open(struct text *t, const char *title) {
    text_put(t, "<section id=\"");
    put_slug(t, title);
    text_fmt(t, "\"><h2>%s</h2>", title);
}

void page_columns(struct text *t, const char *columns) {
    text_put(t, "<div class=\"scroll\"><table><thead><tr>");
    for (const char *at = columns; *at != '\0';) {
        size_t size = strcspn(at, "|");
        bool number = *at == '#';
        text_fmt(t, "<th scope=\"col\"%s>%.*s</th>", number ? " class=\"n\"" : "", (int)size - number, at + number);
        at += size + (at[size] == '|');
    }
    text_put(t, "</tr></thead><tbody>");
}

void page_table(struct text *t, const char *title, const char *columns) {
    page_open(t, title);
    page_columns(t, columns);
}

void page_rows_end(struct text *t) { text_put(t, "</tbody></table></div>"); }

void page_table_end(struct text *t) {
    page_rows_end(t);
    text_put(t, "</section>");
}

void page_row(struct text *t, const char *name) {
    text_put(t, "<tr><th scope=\"row\">");
    text_html(t, name);
    text_put(t, "</th>");
}

void page_cell(struct text *t, const char *what) {
    text_put(t, "<td>");
    text_html(t, what);
    text_put(t, "</td>");
}

void page_number(struct text *t, uint64_t n) {
    text_put(t, "<td class=\"n\">");
    text_digits(t, n, 1);
    text_put(t, "</td>");
}

void page_value(struct text *t, double value, int digits, const char *unit) {
    text_put(t, "<td class=\"n\">");
    if (value >= 0)
        text_fmt(t, "%.*f%s", digits, value, unit);
    text_put(t, "</td>");
}

void page_age(struct text *t, int64_t age_ms) {
    char age[32];
    text_fmt(t, "<td class=\"n\">%s</td>", age_ms < 0 ? "" : replica_age_text(age, age_ms));
}
