#include "health/command/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "resolver/base/clock.h"

enum { PLAIN_COLUMNS = 160, LEAST_COLUMNS = 40, LEAST_ROWS = 10 };

static const char enter[] = "\033[?1049h\033[?25l\033[2J", leave[] = "\033[0m\033[?25h\033[?1049l";

static volatile sig_atomic_t ended, stopped;
static struct termios before;
static struct sigaction old_action[32];

static void on_end(int signum) {
    (void)signum;
    ended = 1;
}
static void on_stop(int signum) {
    (void)signum;
    stopped = 1;
}
static void on_resize(int signum) { (void)signum; }

static const struct {
    int signum;
    void (*handler)(int);
} signals[] = {{SIGINT, on_end},  {SIGTERM, on_end},  {SIGHUP, on_end},     {SIGQUIT, on_end},
               {SIGPIPE, on_end}, {SIGTSTP, on_stop}, {SIGWINCH, on_resize}};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static bool write_all(const char *at, size_t size) {
    while (size > 0) {
        ssize_t n = write(STDOUT_FILENO, at, size);
        if (n < 0 && errno == EINTR && !ended)
            continue;
        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static void take_terminal(void) {
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    (void)write_all(enter, sizeof enter - 1);
}

static void give_terminal_back(void) {
    (void)write_all(leave, sizeof leave - 1);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

/* Blocked but while screen_wait() waits: none comes between the look at `ended` and the wait. */
static void set_signals(bool ours) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction a = {.sa_handler = signals[i].handler};
        sigaddset(&set, signals[i].signum);
        if (ours)
            (void)sigaction(signals[i].signum, &a, &old_action[i]);
        else
            (void)sigaction(signals[i].signum, &old_action[i], NULL);
    }
    (void)sigprocmask(ours ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int screen_open(struct screen *s, bool plain, struct err *err) {
    memset(s, 0, sizeof *s);
    s->live = !plain && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
    s->colours = s->live && getenv("NO_COLOR") == NULL;
    ended = stopped = 0;
    if (s->live && tcgetattr(STDIN_FILENO, &before) != 0)
        return err_set(err, E_SYSTEM, "the terminal: %s", strerror(errno));
    set_signals(true);
    if (s->live)
        take_terminal();
    return 0;
}

void screen_close(struct screen *s) {
    if (s->live)
        give_terminal_back();
    set_signals(false);
}

void screen_begin(struct screen *s) {
    struct winsize size = {0};
    s->columns = PLAIN_COLUMNS;
    s->rows = SCREEN_ROWS_MAX;
    if (s->live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        s->columns = size.ws_col < SCREEN_COLUMNS_MAX ? size.ws_col : SCREEN_COLUMNS_MAX;
        s->rows = size.ws_row < SCREEN_ROWS_MAX ? size.ws_row : SCREEN_ROWS_MAX;
    }
    s->size = 0;
    s->column = s->row = 0;
}

static void raw(struct screen *s, const char *text, size_t size) {
    if (size <= sizeof s->page - s->size) {
        memcpy(s->page + s->size, text, size);
        s->size += size;
    }
}

void screen_put(struct screen *s, enum screen_ink ink, const char *fmt, ...) {
    static const char *const codes[INK_COUNT] = {"",         "\033[1m",  "\033[2m",  "\033[32m",
                                                 "\033[33m", "\033[31m", "\033[35m", "\033[7m"};
    char text[SCREEN_COLUMNS_MAX + 1];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n <= 0 || s->column >= s->columns || s->row >= s->rows)
        return;
    size_t size = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    if (size > s->columns - s->column)
        size = s->columns - s->column;
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
    const char *code = s->colours ? codes[ink] : "";
    raw(s, code, strlen(code));
    raw(s, text, size);
    raw(s, "\033[0m", code[0] != '\0' ? 4 : 0);
    s->column += (unsigned)size;
}

void screen_to(struct screen *s, unsigned column) {
    if (column > s->column)
        screen_put(s, INK_PLAIN, "%*s", (int)(column - s->column), "");
}

unsigned screen_left(const struct screen *s) { return s->rows - s->row; }

bool screen_line(struct screen *s) {
    if (s->row >= s->rows)
        return false;
    s->row++;
    s->column = 0;
    if (s->live)
        raw(s, "\033[K", 3);
    if (!s->live || s->row < s->rows)
        raw(s, "\n", 1);
    return s->row < s->rows;
}

bool screen_end(struct screen *s) {
    if (s->live)
        return write_all("\033[H", 3) && write_all(s->page, s->size) && write_all("\033[J", 3);
    raw(s, "\n", 1);
    return write_all(s->page, s->size);
}

/* The job is stopped as if this were any other program, and takes the terminal again afterwards. */
static void stop_here(struct screen *s) {
    stopped = 0;
    if (s->live)
        give_terminal_back();
    (void)raise(SIGSTOP);
    if (s->live)
        take_terminal();
}

static enum screen_key read_key(void) {
    char k[8];
    ssize_t n = read(STDIN_FILENO, k, sizeof k);
    if (n <= 0)
        return KEY_QUIT;
    if (k[0] == 'q' || k[0] == 'Q' || k[0] == 3 || k[0] == 4)
        return KEY_QUIT;
    if (n >= 3 && k[0] == 27 && (k[1] == '[' || k[1] == 'O') && k[2] >= 'A' && k[2] <= 'D')
        return (enum screen_key[]){KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT}[k[2] - 'A'];
    return KEY_OTHER;
}

enum screen_key screen_wait(struct screen *s, int wait_ms) {
    struct pollfd in = {.fd = s->live ? STDIN_FILENO : -1, .events = POLLIN};
    struct timespec t = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
    sigset_t open;
    (void)sigprocmask(SIG_SETMASK, NULL, &open);
    for (int i = 0; i < SIGNALS; i++)
        sigdelset(&open, signals[i].signum);
    int n = ppoll(&in, 1, wait_ms < 0 ? NULL : &t, &open);
    if (stopped)
        stop_here(s);
    if (ended)
        return KEY_QUIT;
    return n > 0 ? read_key() : KEY_NONE;
}
