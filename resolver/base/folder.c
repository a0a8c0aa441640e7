#include "resolver/base/folder.h"

#include <fcntl.h>
#include <unistd.h>

int folder_sync(const char *path, struct err *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", path);
    int rc = fsync(fd) < 0 ? err_errno(err, "%s: fsync", path) : 0;
    (void)close(fd);
    return rc;
}
