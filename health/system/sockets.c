#include "health/system/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 512, STATE_UNCONNECTED = 0x07, STATE_LISTEN = 0x0a };

/* An address as the kernel prints it: words of its memory, each as a number of this machine. */
static bool parse_addr(const char *text, bool v6, struct addr *a) {
    unsigned words = v6 ? 4 : 1, port;
    uint32_t word[4];
    char digits[9];
    *a = (struct addr){.sa.sa_family = v6 ? AF_INET6 : AF_INET};
    for (unsigned i = 0; i < words; i++, text += 8) {
        if (strspn(text, "0123456789ABCDEFabcdef") < 8)
            return false;
        memcpy(digits, text, 8);
        digits[8] = '\0';
        word[i] = (uint32_t)strtoul(digits, NULL, 16);
    }
    if (*text != ':' || sscanf(text + 1, "%4x", &port) != 1)
        return false;
    if (v6)
        memcpy(&a->in6.sin6_addr, word, 16);
    else
        memcpy(&a->in.sin_addr, word, 4);
    addr_set_port(a, (uint16_t)port);
    return true;
}

/* "sl: local remote st tx:rx tr:when retrnsmt uid timeout inode ..." */
int sys_socket_parse(const char *line, bool v6, struct sys_socket *s) {
    char local[48], remote[48];
    unsigned state;
    unsigned long long uid, inode;
    struct addr peer;
    if (sscanf(line, " %*u: %47s %47s %x %*s %*s %*s %llu %*s %llu", local, remote, &state, &uid, &inode) != 5 ||
        !parse_addr(local, v6, &s->local) || !parse_addr(remote, v6, &peer))
        return E_INVALID;
    s->uid = uid;
    s->inode = inode;
    s->waits = addr_port(&peer) == 0 && (state == STATE_UNCONNECTED || state == STATE_LISTEN);
    return 0;
}

bool sys_socket_meets(const struct addr *held, const struct addr *ours) {
    return addr_family(held) == addr_family(ours) && addr_port(held) == addr_port(ours) &&
           (addr_is_any(ours) || addr_same_host(held, ours));
}

int sys_sockets_on(bool tcp, const struct addr *ours, struct sys_socket *to, size_t cap, bool *whole) {
    bool v6 = addr_family(ours) == AF_INET6;
    char path[32], line[LINE_MAX_OCTETS];
    struct sys_socket s;
    size_t n = 0, lines = 0;
    snprintf(path, sizeof(path), "/proc/net/%s%s", tcp ? "tcp" : "udp", v6 ? "6" : "");
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return E_NOTFOUND;
    *whole = true;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (lines++ == 0 || sys_socket_parse(line, v6, &s) < 0)
            continue; /* the head */
        if (tcp && !s.waits)
            break; /* those that listen come first; connections may be very many */
        if (lines > SYS_SOCKET_LINES_MAX || n == cap) {
            *whole = false;
            break;
        }
        if (s.waits && sys_socket_meets(&s.local, ours))
            to[n++] = s;
    }
    (void)fclose(f);
    return (int)n;
}

/* "socket:[123]" */
static bool socket_inode(int folder, const char *name, uint64_t *inode) {
    static const char head[] = "socket:[";
    char text[64];
    ssize_t n = readlinkat(folder, name, text, sizeof(text) - 1);
    if (n < (ssize_t)sizeof(head))
        return false;
    text[n] = '\0';
    if (strncmp(text, head, sizeof(head) - 1) != 0)
        return false;
    *inode = strtoull(text + sizeof(head) - 1, NULL, 10);
    return true;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int sys_sockets_of(uint64_t pid, uint64_t *inodes, size_t cap) {
    char path[64];
    size_t n = 0, seen = 0;
    snprintf(path, sizeof(path), "/proc/%llu/fd", (unsigned long long)pid);
    DIR *d = opendir(path);
    if (d == NULL)
        return errno == ENOENT ? E_NOTFOUND : E_DENIED;
    for (struct dirent *e = readdir(d); e != NULL && n < cap && seen < SYS_FDS_MAX; e = readdir(d), seen++)
        n += socket_inode(dirfd(d), e->d_name, &inodes[n]);
    (void)closedir(d);
    qsort(inodes, n, sizeof(*inodes), ascending);
    return (int)n;
}

static bool has_socket(uint64_t pid, uint64_t inode) {
    char path[64];
    uint64_t at = 0;
    bool found = false;
    size_t seen = 0;
    snprintf(path, sizeof(path), "/proc/%llu/fd", (unsigned long long)pid);
    DIR *d = opendir(path);
    for (struct dirent *e = NULL; d != NULL && !found && seen < SYS_FDS_MAX && (e = readdir(d)) != NULL; seen++)
        found = socket_inode(dirfd(d), e->d_name, &at) && at == inode;
    if (d != NULL)
        (void)closedir(d);
    return found;
}

int sys_socket_owner(uint64_t inode, uint64_t *pid, struct sys_process *p) {
    unsigned seen = 0;
    int rc = E_NOTFOUND;
    DIR *d = opendir("/proc");
    for (struct dirent *e = NULL; d != NULL && rc < 0 && seen < SYS_OWNER_PROCESSES_MAX && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        seen++;
        *pid = strtoull(e->d_name, NULL, 10);
        if (has_socket(*pid, inode))
            rc = sys_process_look(*pid, p);
    }
    if (d != NULL)
        (void)closedir(d);
    return rc;
}
