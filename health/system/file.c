#include "health/system/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t sys_read(const char *path, char *text, size_t size) {
    size_t have = 0;
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return 0;
    for (ssize_t n = 1; n > 0 && have<size - 1; have += n> 0 ? (size_t)n : 0)
        n = read(fd, text + have, size - 1 - have);
    (void)close(fd);
    text[have] = '\0';
    return have;
}

size_t sys_read_of(uint64_t pid, const char *file, char *text, size_t size) {
    char path[SYS_PATH_MAX];
    if (pid > 0)
        snprintf(path, sizeof(path), "/proc/%llu/%s", (unsigned long long)pid, file);
    else
        snprintf(path, sizeof(path), "/proc/%s", file);
    return sys_read(path, text, size);
}

static bool number(const char *text, uint64_t *value) {
    if (*text < '0' || *text > '9')
        return false;
    *value = strtoull(text, NULL, 10);
    return true;
}

bool sys_read_number(const char *path, uint64_t *value) {
    char text[32];
    return sys_read(path, text, sizeof(text)) > 0 && number(text, value);
}

uint64_t sys_word(const char *text, unsigned index) {
    uint64_t value = 0;
    for (text += strspn(text, " "); index > 0 && *text != '\0'; index--) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return number(text, &value) ? value : 0;
}

bool sys_field(const char *text, const char *key, uint64_t *value) {
    size_t size = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, size) == 0)
            return number(line + size + strspn(line + size, " \t"), value);
    }
    return false;
}
