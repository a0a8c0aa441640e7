/* A page of text that is drawn again and again: on a terminal in place, with colours; into a pipe as plain text, page
 * after page. The terminal is as it was before on every way out: at the end, on SIGINT, SIGTERM, SIGHUP, SIGQUIT, and
 * while the job is stopped (SIGTSTP). */
#ifndef CANDOR_COMMAND_SCREEN_H
#define CANDOR_COMMAND_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "resolver/base/err.h"

enum { SCREEN_COLUMNS_MAX = 512, SCREEN_ROWS_MAX = 256, SCREEN_BYTES = SCREEN_ROWS_MAX * (SCREEN_COLUMNS_MAX + 64) };

enum screen_ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_GOOD, INK_WARN, INK_BAD, INK_UNKNOWN, INK_HEAD, INK_COUNT };
enum screen_key { KEY_NONE, KEY_QUIT, KEY_UP, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_OTHER };

struct screen {
    bool live; /* a terminal that is drawn on in place */
    bool colours;
    unsigned columns, rows; /* of the page now; a pipe is SCREEN_COLUMNS_MAX wide and not high but long */
    unsigned column, row;   /* where the next text stands */
    size_t size;
    char page[SCREEN_BYTES];
};

/* `plain`: no terminal, whatever stdout is. One at a time: signals are the process's. */
int screen_open(struct screen *s, bool plain, struct err *err) MUST_USE;
void screen_close(struct screen *s);

/* A new page, of the size that the terminal has now. */
void screen_begin(struct screen *s);
/* Text up to the edge of the page; every byte that is no printable ASCII becomes '?'. */
void screen_put(struct screen *s, enum screen_ink ink, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The next column to write in, unless it is passed already. */
void screen_to(struct screen *s, unsigned column);
/* Ends the line. False: there is no room for another. */
bool screen_line(struct screen *s);
/* Lines that are still free, the present one among them. */
unsigned screen_left(const struct screen *s);
/* Shows the page. False: nobody reads it any more. */
bool screen_end(struct screen *s);

/* Waits for a key, at most `wait_ms`; KEY_NONE: the time is up, or the size has changed. KEY_QUIT also when a signal
 * says so or the terminal is gone. */
enum screen_key screen_wait(struct screen *s, int wait_ms);

#endif
