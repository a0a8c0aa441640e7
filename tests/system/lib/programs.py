"""Programs that a test started itself, and ends by their ids."""
import contextlib
import subprocess


def end(process, within_s=10):
    """Asked first, then killed."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(argv, log, **kw):
    """A program that runs while the block does; what it says is added to the file."""
    with open(log, "ab") as out:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **kw)
    try:
        yield p
    finally:
        end(p)
