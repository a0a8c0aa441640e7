#include "health/command/out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_ANY = 4096, WIDTH_LEAST = 40 };

const char *out_clean(char *to, size_t cap, const char *from, size_t size) {
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)from[i];
        char text[5];
        int n = c >= ' ' && c < 127 ? snprintf(text, sizeof text, "%c", c) : snprintf(text, sizeof text, "\\%03u", c);
        if (at + (size_t)n + 4 > cap) { /* room for "..." and NUL stays */
            at += (size_t)snprintf(to + at, cap - at, "...");
            break;
        }
        memcpy(to + at, text, (size_t)n);
        at += (size_t)n;
    }
    to[at] = '\0';
    return to;
}

const char *out_age(char to[32], double seconds) {
    static const struct {
        double below, unit;
        const char *text;
    } units[] = {{0.9995, 0.001, "ms"}, {119.5, 1, "s"}, {7170, 60, "min"}, {172000, 3600, "h"}, {1e18, 86400, "d"}};
    if (seconds < 0) {
        (void)snprintf(to, 32, "never");
        return to;
    }
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && seconds >= units[i].below)
        i++;
    (void)snprintf(to, 32, "%.0f %s", seconds / units[i].unit, units[i].text);
    return to;
}

const char *out_count(char to[32], uint64_t n) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *at = to;
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return to;
}

const char *out_bytes(char to[32], uint64_t n) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)n;
    size_t i = 0;
    for (; value >= 1024 && i + 1 < sizeof units / sizeof units[0]; i++)
        value /= 1024;
    (void)snprintf(to, 32, i == 0 ? "%.0f %s" : "%.1f %s", value, units[i]);
    return to;
}

struct out_table *out_table_new(unsigned columns) {
    struct out_table *t = calloc(1, sizeof *t);
    if (t != NULL)
        t->columns = columns < OUT_COLUMNS ? columns : OUT_COLUMNS;
    return t;
}

void out_row(struct out_table *t, ...) {
    va_list list;
    if (t == NULL)
        return;
    if (t->rows == OUT_ROWS) {
        t->lost++;
        return;
    }
    va_start(list, t);
    for (unsigned i = 0; i < t->columns; i++) {
        const char *text = va_arg(list, const char *);
        char clean[OUT_CELL_MAX];
        if (text == NULL)
            text = "";
        out_clean(clean, sizeof clean, text, strlen(text));
        const char *copy = arena_text(&t->arena, clean, strlen(clean));
        t->cell[t->rows][i] = copy != NULL ? copy : "?";
    }
    va_end(list);
    t->rows++;
}

static size_t terminal_width(FILE *to) {
    struct winsize size;
    if (!isatty(fileno(to)) || ioctl(fileno(to), TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_LEAST)
        return WIDTH_ANY;
    return size.ws_col;
}

static void print_row(const struct out_table *t, size_t row, const size_t *width, size_t room, FILE *to,
                      const char *indent) {
    char line[WIDTH_ANY + OUT_CELL_MAX];
    size_t at = (size_t)snprintf(line, sizeof line, "%s", indent);
    for (unsigned i = 0; i < t->columns && at < sizeof line; i++) {
        int pad = i + 1 < t->columns ? (int)width[i] + 2 : 0;
        at += (size_t)snprintf(line + at, sizeof line - at, "%-*s", pad, t->cell[row][i]);
    }
    if (at >= sizeof line)
        at = sizeof line - 1;
    if (at > room)
        at = room;
    while (at > 0 && line[at - 1] == ' ')
        at--;
    fprintf(to, "%.*s\n", (int)at, line);
}

void out_table_free(struct out_table *t) {
    if (t == NULL)
        return;
    arena_free(&t->arena);
    free(t);
}

void out_table_print(struct out_table *t, FILE *to, const char *indent) {
    size_t width[OUT_COLUMNS] = {0}, room = terminal_width(to);
    if (t == NULL)
        return;
    for (size_t r = 0; r < t->rows; r++)
        for (unsigned i = 0; i < t->columns; i++)
            if (strlen(t->cell[r][i]) > width[i])
                width[i] = strlen(t->cell[r][i]);
    for (size_t r = 0; r < t->rows; r++)
        print_row(t, r, width, room, to, indent);
    if (t->lost > 0)
        fprintf(to, "%s... and %zu more\n", indent, t->lost);
    out_table_free(t);
}
