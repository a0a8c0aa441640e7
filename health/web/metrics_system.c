/* What the kernel says of the node's processes, and of the machine's pressure. /proc only: no disk is waited for. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "health/web/metrics.h"

enum { FDS_MAX = 1 << 16, PROC_TEXT = 4096, PROCESSES_MAX = ROLE_COUNT + LIMIT_WORKERS };

struct process {
    char name[32];
    uint64_t fds, fds_max, resident_bytes, major_faults;
};

static bool read_proc(uint64_t pid, const char *file, char text[PROC_TEXT]) {
    char path[64];
    if (pid > 0)
        snprintf(path, sizeof(path), "/proc/%llu/%s", (unsigned long long)pid, file);
    else
        snprintf(path, sizeof(path), "/proc/%s", file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, PROC_TEXT - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static uint64_t count_fds(uint64_t pid) {
    char path[64];
    uint64_t n = 0;
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%llu/fd", (unsigned long long)pid);
    if (stat(path, &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size; /* Linux 6.2 and later know it without a walk */
    DIR *d = opendir(path);
    for (struct dirent *e = NULL; d != NULL && n < FDS_MAX && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d != NULL)
        closedir(d);
    return n;
}

/* The number that is the `index`th word of `text`, 0 when there is none. */
static uint64_t word_at(const char *text, unsigned index) {
    for (text += strspn(text, " "); index > 0 && *text != '\0'; index--) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return strtoull(text, NULL, 10);
}

static bool read_process(struct process *p, uint64_t pid) {
    static const char files[] = "Max open files";
    char text[PROC_TEXT];
    if (pid == 0 || !read_proc(pid, "stat", text))
        return false;
    const char *fields = strrchr(text, ')');
    if (fields == NULL)
        return false;
    p->major_faults = word_at(fields + 1, 9); /* state ppid pgrp session tty tpgid flags minflt cminflt majflt */
    if (read_proc(pid, "statm", text))
        p->resident_bytes = word_at(text, 1) * (uint64_t)sysconf(_SC_PAGESIZE);
    const char *line = read_proc(pid, "limits", text) ? strstr(text, files) : NULL;
    if (line != NULL)
        p->fds_max = word_at(line + sizeof(files) - 1, 0);
    p->fds = count_fds(pid);
    return true;
}

static size_t read_all(const struct board *b, struct process to[PROCESSES_MAX]) {
    static const char *const names[ROLE_COUNT] = {"candor", "candor-resolver", "candor-sync", "candor-health"};
    uint64_t workers = board_get(&b->worker_count);
    size_t n = 0;
    for (int i = 0; i < ROLE_COUNT; i++) {
        to[n] = (struct process){0};
        snprintf(to[n].name, sizeof(to[n].name), "%s", names[i]);
        n += read_process(&to[n], board_get(&b->process[i].pid));
    }
    for (unsigned w = 0; w < workers && w < LIMIT_WORKERS; w++) {
        to[n] = (struct process){0};
        snprintf(to[n].name, sizeof(to[n].name), "worker %u", w);
        n += read_process(&to[n], board_get(&b->worker[w].pid));
    }
    return n;
}

static void put_pressure(struct metrics *m) {
    static const char *const resources[] = {"cpu", "memory", "io"}, *const kinds[] = {"some", "full"};
    metric_family(m, METRIC_GAUGE, "pressure_stall_ratio",
                  "Part of the last ten seconds that tasks of this machine waited for a resource.");
    for (size_t r = 0; r < 3; r++) {
        char path[32], text[PROC_TEXT];
        snprintf(path, sizeof(path), "pressure/%s", resources[r]);
        if (!read_proc(0, path, text))
            continue;
        for (size_t k = 0; k < 2; k++) {
            const char *line = strstr(text, kinds[k]);
            const char *percent = line != NULL ? strstr(line, "avg10=") : NULL;
            if (percent == NULL)
                continue;
            metric_begin(m);
            metric_label(m, "resource", resources[r]);
            metric_label(m, "kind", kinds[k]);
            metric_value(m, strtod(percent + 6, NULL) / 100);
        }
    }
}

void metrics_system(struct metrics *m) {
    struct process p[PROCESSES_MAX];
    size_t n = read_all(m->from->board, p);
    metric_family(m, METRIC_GAUGE, "open_fds", "Open descriptors of a process.");
    for (size_t i = 0; i < n; i++)
        metric_one(m, "process", p[i].name, (double)p[i].fds);
    metric_family(m, METRIC_GAUGE, "max_fds", "Descriptors that a process may have open.");
    for (size_t i = 0; i < n; i++)
        metric_one(m, "process", p[i].name, (double)p[i].fds_max);
    metric_family(m, METRIC_GAUGE, "resident_memory_bytes",
                  "Memory of a process that is in RAM, shared parts included.");
    for (size_t i = 0; i < n; i++)
        metric_one(m, "process", p[i].name, (double)p[i].resident_bytes);
    metric_family(m, METRIC_COUNTER, "major_page_faults", "Faults of a process that had to wait for the disk.");
    for (size_t i = 0; i < n; i++)
        metric_one(m, "process", p[i].name, (double)p[i].major_faults);
    put_pressure(m);
    if (!m->from->tally->disk_known)
        return;
    metric_family(m, METRIC_GAUGE, "disk_free_bytes", "Bytes free where a folder is.");
    metric_one(m, "path", "state", (double)m->from->tally->disk_free_bytes);
}
