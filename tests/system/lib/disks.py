"""File systems of a test's own: in a private mount namespace of this process, so that nothing is left when it ends. Needs root."""
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x20000
PRIVATE = [False]


def private_mounts():
    """From now on this process and its children see mounts that nobody else sees."""
    if PRIVATE[0]:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    PRIVATE[0] = True


@contextlib.contextmanager
def tmpfs(path, size):
    private_mounts()
    os.makedirs(path, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@contextlib.contextmanager
def ext4(path, size):
    """Its own image, so that it can be aborted: it is then read-only at once, whoever writes."""
    private_mounts()
    os.makedirs(path, exist_ok=True)
    image = str(path) + ".image"
    with open(image, "wb") as f:
        f.truncate(size)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
        os.unlink(image)


def abort(path):
    """What a failing disk does to ext4: its journal stops, everything that writes fails, what is there can be read."""
    subprocess.run(["mount", "-o", "remount,abort", str(path)], check=True)


def fill(path):
    """A file that takes all the room that there is; its path."""
    name = os.path.join(str(path), "filler")
    with open(name, "wb", buffering=0) as f:
        size = 1 << 20
        while size >= 512:
            try:
                f.write(b"\xa5" * size)
            except OSError:
                size //= 2
    return name
