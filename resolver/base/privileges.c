#include "resolver/base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolver/base/process.h"

enum { GROUPS_MAX = 64, LINES_MAX = 100000 };

static int user_find(const char *user, uid_t *uid, gid_t *gid, struct err *err) {
    FILE *f = fopen("/etc/passwd", "re");
    if (f == NULL)
        return err_errno(err, "/etc/passwd");
    int e = E_NOTFOUND;
    const struct passwd *p;
    for (unsigned i = 0; i < LINES_MAX && e != 0 && (p = fgetpwent(f)) != NULL; i++)
        if (strcmp(p->pw_name, user) == 0) {
            *uid = p->pw_uid;
            *gid = p->pw_gid;
            e = 0;
        }
    fclose(f);
    return e == 0 ? 0 : err_set(err, e, "node.user: no user '%s' in /etc/passwd", user);
}

/* Groups that name the user as a member, behind its own. */
static size_t groups_find(const char *user, gid_t own, gid_t groups[GROUPS_MAX]) {
    size_t count = 0;
    groups[count++] = own;
    FILE *f = fopen("/etc/group", "re");
    const struct group *g;
    for (unsigned i = 0; f != NULL && i < LINES_MAX && count < GROUPS_MAX && (g = fgetgrent(f)) != NULL; i++)
        for (char **m = g->gr_mem; *m != NULL && count < GROUPS_MAX; m++)
            if (strcmp(*m, user) == 0) {
                groups[count++] = g->gr_gid;
                break;
            }
    if (f != NULL)
        fclose(f);
    return count;
}

int privileges_folder(const char *path, const char *user, struct err *err) {
    uid_t uid = 0;
    gid_t gid = 0;
    bool made = mkdir(path, 0755) == 0;
    if (!made && errno != EEXIST)
        return err_errno(err, "%s", path);
    if (user[0] == '\0' || geteuid() != 0)
        return 0;
    int e = user_find(user, &uid, &gid, err);
    if (e == 0 && chown(path, uid, gid) != 0)
        e = err_errno(err, "%s: giving it to %s", path, user);
    return e;
}

int privileges_drop(const char *user, struct err *err) {
    uid_t uid = 0;
    gid_t gid = 0, groups[GROUPS_MAX];
    if (user[0] == '\0')
        return 0;
    int e = user_find(user, &uid, &gid, err);
    if (e != 0 || (uid == geteuid() && uid == getuid()))
        return e;
    size_t count = groups_find(user, gid, groups);
    if (setgroups(count, groups) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return err_errno(err, "node.user: becoming '%s'", user);
    if (setuid(0) == 0 && uid != 0)
        return err_set(err, E_DENIED, "node.user: '%s' could become root again", user);
    const char *supervised = getenv("CANDOR_SUPERVISED");
    if (supervised != NULL) {
        long pid = strtol(supervised, NULL, 10);
        process_die_with(pid > 1 && pid <= INT_MAX ? (int)pid : getppid());
    }
    return 0;
}
