#include "health/system/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sys_resource_name(enum sys_resource r) {
    static const char *const names[SYS_RESOURCES] = {"cpu", "memory", "io"};
    return names[r];
}

const char *sys_stall_name(enum sys_stall s) {
    static const char *const names[SYS_STALLS] = {"some", "full"};
    return names[s];
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static bool parse_line(const char *line, double *avg10, uint64_t *total_us) {
    const char *end = strchrnul(line, '\n'), *avg = strstr(line, "avg10="), *total = strstr(line, "total=");
    if (avg == NULL || avg > end || total == NULL || total > end)
        return false;
    double percent = strtod(avg + 6, NULL);
    *avg10 = percent >= 0 && percent <= 100 ? percent / 100 : percent > 100 ? 1 : 0;
    *total_us = strtoull(total + 6, NULL, 10);
    return true;
}

int sys_pressure_parse(const char *text, struct sys_pressure *p) {
    *p = (struct sys_pressure){.known = {false}};
    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        for (int s = 0; s < SYS_STALLS; s++)
            if (strncmp(line, sys_stall_name((enum sys_stall)s), 4) == 0 && line[4] == ' ')
                p->known[s] = parse_line(line, &p->avg10[s], &p->total_us[s]);
    }
    return p->known[SYS_SOME] || p->known[SYS_FULL] ? 0 : E_INVALID;
}

int sys_pressure_read(enum sys_resource r, struct sys_pressure *p) {
    char path[64], text[512];
    *p = (struct sys_pressure){.known = {false}};
    snprintf(path, sizeof(path), "/proc/pressure/%s", sys_resource_name(r));
    return sys_read(path, text, sizeof(text)) > 0 ? sys_pressure_parse(text, p) : E_NOTFOUND;
}

int sys_conntrack_read(uint64_t *count, uint64_t *max) {
    return sys_read_number("/proc/sys/net/netfilter/nf_conntrack_count", count) &&
                   sys_read_number("/proc/sys/net/netfilter/nf_conntrack_max", max) && *max > 0
               ? 0
               : E_NOTFOUND;
}
