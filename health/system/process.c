#include "health/system/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a stat file, counted from behind the name. */
enum { STAT_PARENT = 1, STAT_MAJOR = 9, STAT_USER = 11, STAT_SYSTEM = 12, STAT_THREADS = 17, STAT_START = 19 };

static void keep_name(struct sys_process *p, const char *from, const char *end) {
    size_t n = 0;
    for (; from < end && n < sizeof(p->name) - 1; from++)
        p->name[n++] = *from > ' ' && *from < 0x7f ? *from : '?';
    p->name[n] = '\0';
}

int sys_stat_parse(const char *text, struct sys_process *p) {
    const char *name = strchr(text, '('),
               *end = strrchr(text, ')'); /* a name may hold ')' itself: the last closes it */
    if (name == NULL || end == NULL || end < name || end[1] != ' ')
        return E_INVALID;
    char state = end[2];
    if (!((state >= 'A' && state <= 'Z') || (state >= 'a' && state <= 'z')))
        return E_INVALID;
    p->state = state;
    keep_name(p, name + 1, end);
    end++;
    p->parent = sys_word(end, STAT_PARENT);
    p->major_faults = sys_word(end, STAT_MAJOR);
    p->cpu_ticks = sys_word(end, STAT_USER) + sys_word(end, STAT_SYSTEM);
    p->threads = sys_word(end, STAT_THREADS);
    p->start_ticks = sys_word(end, STAT_START);
    return 0;
}

int sys_limits_parse(const char *text, struct sys_process *p) {
    static const char key[] = "Max open files";
    const char *line = strstr(text, key);
    if (line == NULL)
        return E_INVALID;
    p->fds_max = sys_word(line + sizeof(key) - 1, 0); /* "unlimited" is 0 */
    return 0;
}

int sys_process_look(uint64_t pid, struct sys_process *p) {
    char text[SYS_TEXT_MAX];
    *p = (struct sys_process){.state = '\0'};
    return pid > 0 && sys_read_of(pid, "stat", text, sizeof(text)) > 0 ? sys_stat_parse(text, p) : E_NOTFOUND;
}

static bool walk_fds(const char *path, uint64_t *count) {
    DIR *d = opendir(path);
    if (d == NULL)
        return false;
    uint64_t n = 0;
    for (struct dirent *e = readdir(d); e != NULL && n < SYS_FDS_MAX; e = readdir(d))
        n += e->d_name[0] != '.';
    (void)closedir(d);
    *count = n;
    return n > 0;
}

/* Linux 6.2 and later know the number without a walk, and tell everybody. Before, only the owner may walk, and for the
 * rest the size of the table is a bound: it grows by doubling. */
static void count_fds(uint64_t pid, struct sys_process *p) {
    char path[SYS_PATH_MAX], text[SYS_TEXT_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%llu/fd", (unsigned long long)pid);
    if (stat(path, &st) == 0 && st.st_size > 0) {
        p->fds = (uint64_t)st.st_size;
    } else if (!walk_fds(path, &p->fds)) {
        p->fds_bound = true;
        if (sys_read_of(pid, "status", text, sizeof(text)) == 0 || !sys_field(text, "FDSize:", &p->fds))
            p->fds = 0;
    }
}

int sys_process_read(uint64_t pid, struct sys_process *p) {
    char text[SYS_TEXT_MAX];
    int rc = sys_process_look(pid, p);
    if (rc < 0)
        return rc;
    if (sys_read_of(pid, "statm", text, sizeof(text)) > 0)
        p->resident_bytes = sys_word(text, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (sys_read_of(pid, "limits", text, sizeof(text)) == 0 || sys_limits_parse(text, p) < 0)
        p->fds_max = 0;
    count_fds(pid, p);
    return 0;
}

const char *sys_state_text(char state) {
    switch (state) {
    case '\0':
        return "gone";
    case 'R':
        return "running";
    case 'S':
    case 'I':
        return "sleeping";
    case 'D':
        return "waiting for the disk";
    case 'T':
        return "stopped";
    case 't':
        return "stopped by a debugger";
    case 'Z':
    case 'X':
        return "dead";
    default:
        return "in an unknown state";
    }
}

bool sys_cgroup_path(const char *text, const char *controller, char *to, size_t size) {
    size_t wanted = strlen(controller);
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *list = strchr(line, ':'), *path = list != NULL ? strchr(list + 1, ':') : NULL;
        const char *end = strchrnul(line, '\n');
        if (path == NULL || path > end)
            return false;
        for (const char *at = list + 1; at <= path;) {
            const char *stop = at + strcspn(at, ",:");
            if ((size_t)(stop - at) == wanted && strncmp(at, controller, wanted) == 0) {
                snprintf(to, size, "%.*s", (int)(end - path - 1), path + 1);
                return true;
            }
            at = stop + 1;
        }
        line = *end == '\n' ? end + 1 : NULL;
    }
    return false;
}

/* Version 2 leaves a frozen process "sleeping", version 1 "waiting for the disk". */
static bool frozen_by(const char *text, char path[SYS_PATH_MAX]) {
    static const struct {
        const char *controller, *mount, *file, *says;
    } places[] = {{"", "/sys/fs/cgroup", "cgroup.events", "frozen 1"},
                  {"", "/sys/fs/cgroup/unified", "cgroup.events", "frozen 1"},
                  {"freezer", "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN"}};
    char file[2 * SYS_PATH_MAX], told[256];
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (!sys_cgroup_path(text, places[i].controller, path, SYS_PATH_MAX))
            continue;
        snprintf(file, sizeof(file), "%s%s/%s", places[i].mount, path, places[i].file);
        if (sys_read(file, told, sizeof(told)) > 0 && strstr(told, places[i].says) != NULL)
            return true;
    }
    return false;
}

const char *sys_halt_text(uint64_t pid, char *to, size_t size) {
    char text[SYS_TEXT_MAX], path[SYS_PATH_MAX];
    struct sys_process by;
    uint64_t tracer = 0;
    to[0] = '\0';
    if (pid == 0)
        return to;
    if (sys_read_of(pid, "cgroup", text, sizeof(text)) > 0 && frozen_by(text, path))
        snprintf(to, size, ", frozen by its cgroup %.120s", path);
    else if (sys_read_of(pid, "status", text, sizeof(text)) > 0 && sys_field(text, "TracerPid:", &tracer) && tracer > 0)
        snprintf(to, size, ", traced by %s (pid %llu)", sys_process_look(tracer, &by) == 0 ? by.name : "somebody",
                 (unsigned long long)tracer);
    else if (sys_read_of(pid, "wchan", text, 64) > 0 && text[0] != '0')
        snprintf(to, size, ", in %.60s", text);
    return to;
}
