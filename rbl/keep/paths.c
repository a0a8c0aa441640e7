#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rbl/keep/impl.h"
#include "resolver/base/folder.h"

const char *const keep_tables[TABLES] = {"meta", "values", "e4", "e6", "names", "journal", "until", "due"};

static bool plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

int keep_dir(char to[KEEP_PATH_MAX], const char *state, const char *zone, struct err *err) {
    char name[3 * 255 + 1]; /* three characters for each of the longest file name */
    size_t at = 0;
    for (const char *c = zone; *c != '\0'; c++) {
        if (at + 4 > sizeof name)
            return err_set(err, E_RANGE, "zone %.60s...: name too long for a directory", zone);
        if (plain(*c) && !(c == zone && *c == '.'))
            name[at++] = *c;
        else
            at += (size_t)snprintf(name + at, 4, "%%%02X", (unsigned char)*c);
    }
    name[at] = '\0';
    if (at == 0 || at > 255)
        return err_set(err, E_RANGE, "zone %.60s: no name for a directory", zone);
    if (snprintf(to, KEEP_PATH_MAX, "%s/zones/%s", state, name) >= KEEP_PATH_MAX - 64)
        return err_set(err, E_RANGE, "zone %s: path too long", zone);
    return 0;
}

/* Every missing directory of the path; each is made durable in the one above. */
int keep_make_dirs(const char *dir, struct err *err) {
    char path[KEEP_PATH_MAX];
    text_copy(path, sizeof path, dir);
    for (char *slash = path + 1; slash != NULL;) {
        slash = strchr(slash, '/');
        if (slash != NULL)
            *slash = '\0';
        bool made = mkdir(path, 0750) == 0;
        if (!made && errno != EEXIST)
            return err_errno(err, "%s", path);
        char *above = made ? strrchr(path, '/') : NULL;
        if (above != NULL && above != path) {
            *above = '\0';
            int rc = folder_sync(path, err);
            *above = '/';
            if (rc < 0)
                return rc;
        }
        if (slash != NULL)
            *slash++ = '/';
    }
    return 0;
}

int keep_generation_number(const char *name, uint64_t *number) {
    uint64_t n = 0;
    if (name[0] != 'g' || name[1] == '\0' || strlen(name) > 19)
        return E_INVALID;
    for (const char *c = name + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return E_INVALID;
        n = n * 10 + (uint64_t)(*c - '0');
    }
    *number = n;
    return 0;
}

int keep_current_read(const char *dir, char generation[32], struct err *err) {
    char path[KEEP_PATH_MAX], text[32];
    uint64_t number;
    snprintf(path, sizeof path, "%s/current", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(err, "%s", path);
    ssize_t n = read(fd, text, sizeof text - 1);
    int rc = n < 0 ? err_errno(err, "%s", path) : 0;
    close(fd);
    if (rc < 0)
        return rc;
    text[n] = '\0';
    char *line = strchr(text, '\n');
    if (line == NULL || line[1] != '\0')
        return err_set(err, E_CORRUPT, "%s: names no generation", path);
    *line = '\0';
    if (keep_generation_number(text, &number) < 0)
        return err_set(err, E_CORRUPT, "%s: names no generation", path);
    text_copy(generation, 32, text);
    return 0;
}

static int write_file(const char *path, const char *text, struct err *err) {
    int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, "%s", path);
    size_t n = strlen(text);
    if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
        rc = err_errno(err, "%s", path);
    close(fd);
    return rc;
}

int keep_current_write(const char *dir, const char *generation, struct err *err) {
    char path[KEEP_PATH_MAX], fresh[KEEP_PATH_MAX], text[40];
    snprintf(path, sizeof path, "%s/current", dir);
    snprintf(fresh, sizeof fresh, "%s/current.new", dir);
    snprintf(text, sizeof text, "%s\n", generation);
    int rc = write_file(fresh, text, err);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_errno(err, "%s", path);
    return rc == 0 ? folder_sync(dir, err) : rc;
}

/* Calls `each` for every generation in the directory, whole or in the making. */
static void each_generation(const char *dir, void (*each)(const char *dir, const char *name, uint64_t n, void *ctx),
                            void *ctx) {
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    const struct dirent *e;
    uint64_t number;
    while ((e = readdir(d)) != NULL) {
        char name[32];
        size_t n = text_copy(name, sizeof name, e->d_name);
        if (n > sizeof KEEP_MAKING - 1 && strcmp(name + n - (sizeof KEEP_MAKING - 1), KEEP_MAKING) == 0)
            name[n - (sizeof KEEP_MAKING - 1)] = '\0';
        if (keep_generation_number(name, &number) == 0)
            each(dir, e->d_name, number, ctx);
    }
    closedir(d);
}

static void on_greatest(const char *dir, const char *name, uint64_t n, void *ctx) {
    (void)dir, (void)name;
    uint64_t *greatest = ctx;
    if (n > *greatest)
        *greatest = n;
}

uint64_t keep_generation_next(const char *dir) {
    uint64_t greatest = 0;
    each_generation(dir, on_greatest, &greatest);
    return greatest + 1;
}

struct newest {
    bool any;
    uint64_t number;
};

static void on_newest(const char *dir, const char *name, uint64_t n, void *ctx) {
    struct newest *x = ctx;
    uint64_t number;
    (void)dir;
    if (keep_generation_number(name, &number) < 0 || (x->any && n <= x->number))
        return;
    x->any = true;
    x->number = n;
}

int keep_generation_newest(const char *dir, char generation[32]) {
    struct newest x = {.any = false};
    each_generation(dir, on_newest, &x);
    snprintf(generation, 32, "g%llu", (unsigned long long)x.number);
    return x.any ? 0 : E_NOTFOUND;
}

int keep_generation_finish(const char *dir, const char *generation, struct err *err) {
    char from[KEEP_PATH_MAX], to[KEEP_PATH_MAX];
    snprintf(from, sizeof from, "%s/%s" KEEP_MAKING, dir, generation);
    snprintf(to, sizeof to, "%s/%s", dir, generation);
    if (rename(from, to) < 0)
        return err_errno(err, "%s", from);
    return folder_sync(dir, err);
}

/* LMDB's two files and nothing else: whatever a person has put there stays, and the directory with it. */
void keep_remove_generation(const char *dir, const char *name) {
    static const char *const files[] = {"/data.mdb", "/lock.mdb", ""};
    char path[KEEP_PATH_MAX + 64];
    for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof path, "%s/%s%s", dir, name, files[i]);
        if (i + 1 < ARRAY_SIZE(files))
            (void)unlink(path);
        else
            (void)rmdir(path);
    }
}

void keep_remove_arriving(const char *dir) {
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        unsigned number;
        char name[40];
        if (sscanf(e->d_name, KEEP_ARRIVING "%u", &number) != 1)
            continue;
        snprintf(name, sizeof name, KEEP_ARRIVING "%u" KEEP_MAKING, number);
        if (strcmp(name, e->d_name) == 0)
            keep_remove_generation(dir, name);
    }
    closedir(d);
}

static void remove_other(const char *dir, const char *name, uint64_t n, void *ctx) {
    (void)n;
    const char *const *stay = ctx;
    for (unsigned i = 0; i < 2; i++)
        if (stay[i] != NULL && strcmp(name, stay[i]) == 0)
            return;
    keep_remove_generation(dir, name);
}

void keep_remove_others(const char *dir, const char *stay, const char *stay_too) {
    const char *both[2] = {stay, stay_too};
    each_generation(dir, remove_other, both);
}

/* Address space: the map of what is shared cannot grow (store_share). A generation in the making grows as it does. */
static uint64_t map_room(const char *path) {
    char file[KEEP_PATH_MAX + 16];
    struct stat st;
    snprintf(file, sizeof file, "%s/data.mdb", path);
    uint64_t bytes = stat(file, &st) == 0 ? (uint64_t)st.st_size * KEEP_MAP_TIMES : 0;
    return bytes > KEEP_MAP_LEAST ? bytes : KEEP_MAP_LEAST;
}

int keep_open_generation(struct store **s, const char *dir, const char *generation, unsigned how, uint64_t map_bytes,
                         struct err *err) {
    char path[KEEP_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, generation);
    struct store_config c = {.path = path,
                             .writer = (how & GENERATION_WRITE) != 0,
                             .tables = keep_tables,
                             .table_count = TABLES,
                             .needed = TABLE_UNTIL,
                             .map_bytes = map_bytes,
                             .check = (how & GENERATION_CHECK) != 0,
                             .bulk = (how & GENERATION_BULK) != 0};
    if (c.writer && !c.bulk)
        c.map_bytes = map_room(path);
    return store_open(s, &c, err);
}

int keep_read_meta(struct store_txn *t, struct meta *m, struct err *err) {
    static const struct {
        const char *key;
        int (*read)(struct meta *m, struct bytes record, struct err *err);
    } records[] = {{"zone", meta_read_zone}, {"apex", meta_read_apex}, {"counts", meta_read_counts}};
    for (unsigned i = 0; i < ARRAY_SIZE(records); i++) {
        struct bytes key = {(const uint8_t *)records[i].key, strlen(records[i].key)}, record;
        int rc = store_get(t, TABLE_META, key, &record);
        if (rc == E_NOTFOUND)
            return err_set(err, E_CORRUPT, "meta: record \"%s\" is missing", records[i].key);
        if (rc < 0)
            return store_failed(t, rc, err, "meta");
        rc = records[i].read(m, record, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
