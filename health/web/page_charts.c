/* The traffic of the last minutes on the status page: lines that need no script, and beside them the numbers that the
 * charts of script are drawn from. */
#include "health/web/page_part.h"
#include "health/web/pulse.h"
#include "resolver/base/bytes.h"

enum { SPARK_WIDTH = 4, SPARK_HEIGHT = 40 };

static double queries_of(const struct pulse_sample *s) { return pulse_rate(s, s->queries); }

/* < 0: no answer whose time was taken. */
static double ms_of(const struct pulse_sample *s, double part) {
    return pulse_percentile_us(s, SOURCE_COUNT, part) / 1000;
}
static double half_of(const struct pulse_sample *s) { return ms_of(s, 0.5); }
static double most_of(const struct pulse_sample *s) { return ms_of(s, 0.99); }

typedef double (*value_of)(const struct pulse_sample *s);

/* The newest at the right; the words below say the same. */
static void put_line(struct text *t, const struct pulse *p, value_of value, const char *what, const char *unit) {
    struct pulse_sample s;
    double most = 0, last = 0;
    unsigned count = 0;
    for (; pulse_step(p, count, &s); count++) {
        most = value(&s) > most ? value(&s) : most;
        last = count == 0 && value(&s) > 0 ? value(&s) : last;
    }
    text_fmt(t,
             "<figure><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\"><polyline "
             "fill=\"none\" stroke=\"currentColor\" points=\"",
             PULSE_SAMPLES * SPARK_WIDTH, SPARK_HEIGHT + 2, what);
    for (unsigned back = count; back-- > 0;)
        if (pulse_step(p, back, &s))
            text_fmt(t, "%d,%.1f ", (PULSE_SAMPLES - 1 - (int)back) * SPARK_WIDTH,
                     1 + SPARK_HEIGHT * (1 - (value(&s) > 0 ? value(&s) / most : 0)));
    text_fmt(t, "\"/></svg><figcaption>%s: now %.3g%s, at most %.3g%s in five minutes</figcaption></figure>", what,
             last, unit, most, unit);
}

/* "key":[oldest,...,newest]; `value` NULL: when each step ended, in seconds of the wall clock. */
static void put_row(struct text *t, const struct pulse *p, const char *key, value_of value, int64_t offset_ms) {
    struct pulse_sample s;
    const char *between = "";
    unsigned count = 0;
    while (pulse_step(p, count, &s))
        count++;
    text_fmt(t, "\"%s\":[", key);
    for (unsigned back = count; back-- > 0;)
        if (pulse_step(p, back, &s)) {
            if (value != NULL && value(&s) < 0)
                text_fmt(t, "%snull", between);
            else if (value != NULL)
                text_fmt(t, "%s%.4g", between, value(&s));
            else
                text_fmt(t, "%s%lld", between, (long long)((pulse_ended_ms(p, back) + offset_ms) / 1000));
            between = ",";
        }
    text_put(t, "]");
}

/* Only numbers and words of ours stand in the attribute. */
void page_charts(struct text *t, const struct pulse *p, int64_t mono_ms, int64_t wall_ms) {
    static const struct {
        const char *key;
        value_of value;
    } rows[] = {{"at", NULL}, {"rate", queries_of}, {"p50", half_of}, {"p99", most_of}};
    struct pulse_sample s;
    if (!pulse_step(p, 0, &s))
        return;
    text_put(t, "<div class=\"charts\" id=\"charts\" data-pulse='{");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        text_put(t, i > 0 ? "," : "");
        put_row(t, p, rows[i].key, rows[i].value, wall_ms - mono_ms);
    }
    text_put(t, "}'>");
    put_line(t, p, queries_of, "Questions a second", "");
    put_line(t, p, half_of, "Half of the answers within", " ms");
    put_line(t, p, most_of, "99 of 100 answers within", " ms");
    text_put(t, "</div>");
}
