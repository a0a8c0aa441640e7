#include "health/probe/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char proc_state_read(const char *stat, size_t size) {
    const char *end = memrchr(stat, ')', size); /* the name may hold ')' itself: the last one closes it */
    if (end == NULL || (size_t)(end - stat) + 3 > size || end[1] != ' ')
        return '\0';
    return (end[2] >= 'A' && end[2] <= 'Z') || (end[2] >= 'a' && end[2] <= 'z') ? end[2] : '\0';
}

char proc_state(uint64_t pid) {
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return '\0';
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    return n > 0 ? proc_state_read(text, (size_t)n) : '\0';
}

const char *proc_state_text(char state) {
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
