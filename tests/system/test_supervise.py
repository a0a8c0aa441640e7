"""The supervisor: what dies comes back, what hangs is ended, within bounds; and it stops, starts anew and works as PID 1."""
# mostly waits
import os
import re
import signal
import subprocess
import time

import psutil
import pytest

from lib.fakes import NAMES, Fakes
from lib.node import until


@pytest.fixture
def fakes(tmp_path, request):
    with Fakes(tmp_path / "node", heal=getattr(request, "param", None)) as f:
        yield f


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_ready_is_said_once_and_all_stop_in_order(fakes):
    time.sleep(0.5)
    assert fakes.log().count("candor: ready") == 1
    assert fakes.stop() == 0
    assert [n for n, w, _ in fakes.events() if w == "stop"] == ["health", "resolver", "sync"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_killed_comes_back_at_once(fakes, name):
    before = fakes.pid(name)
    os.kill(before, signal.SIGKILL)
    until("another one shows itself", lambda: fakes.slot(name).get("pid") not in (0, before), 20)
    assert delays(fakes, name) == [0]
    assert fakes.slot(name).get("restarts_died") == 1
    assert fakes.slot(name).get("starts") == 2
    assert fakes.slot(name).get("restarts_hung") == 0


def delays(fakes, name):
    """How long the supervisor waited after each death, as it said."""
    return [int(d) for d in re.findall(r"msg=died process=candor-%s .*restart_in_ms=(\d+)" % name, fakes.log())]


def test_what_dies_young_waits_longer_and_longer(fakes):
    fakes.script("resolver", "#!/bin/sh\nexit 7\n")
    os.kill(fakes.pid("resolver"), signal.SIGKILL)
    until("it was tried", lambda: len(delays(fakes, "resolver")) >= 12, 60)
    said = delays(fakes, "resolver")
    assert said[0] == 0 and 100 in said and said == sorted(said) and said[-1] > 100, said
    assert fakes.slot("resolver").get("pid") == 0, "the board shows that nothing runs"
    fakes.script("resolver")
    fakes.pid("resolver")
    assert "code=7" in fakes.log()


def test_dead_health_is_not_ready(fakes):
    fakes.tell("health", "exit", "1")
    os.kill(fakes.pid("health"), signal.SIGKILL)
    until("not ready", lambda: fakes.slot("health").get("ready") == 0 and fakes.slot("supervisor").get("ready") == 0, 20)
    fakes.untell("health", "exit")
    until("ready again", lambda: fakes.slot("supervisor").get("ready") == 1, 20)
    assert fakes.log().count("candor: ready") == 1


@pytest.mark.parametrize("name", ["resolver", "health"])
def test_a_heartbeat_that_stands_still_is_ended(fakes, name):
    fakes.pid(name)
    fakes.tell(name, "still")
    still = time.monotonic()
    until("ended", lambda: fakes.slot(name).get("restarts_hung") == 1, 30)
    assert time.monotonic() - still > 9
    fakes.untell(name, "still")
    fakes.pid(name)


def test_a_stopped_process_is_ended(fakes):
    pid = fakes.pid("sync")
    os.kill(pid, signal.SIGSTOP)
    until("ended", lambda: fakes.slot("sync").get("restarts_hung") == 1, 20)
    assert gone(pid)


def heal(fakes, name):
    """What candor-health writes when it judges a process hung; returns when it was ended."""
    pid, slot = fakes.pid(name), fakes.slot(name)
    slot.set("heal_at_ms", time.monotonic_ns() // 1000000)
    slot.set("heal_boot", slot.get("boot"))
    until("ended", lambda: gone(pid), 20)


@pytest.mark.parametrize("fakes", [{"max-restarts": 2, "within": "10s"}], indirect=True)
def test_what_health_finds_hung_is_ended_within_the_ration(fakes):
    heal(fakes, "resolver")
    heal(fakes, "resolver")
    before = time.monotonic()
    heal(fakes, "resolver")
    until("said loudly", lambda: "left down" in fakes.log(), 20)
    assert len(fakes.starts("resolver")) == 3
    until("tried once more", lambda: len(fakes.starts("resolver")) == 4, 40)
    assert fakes.starts("resolver")[3] - before > 9.5
    assert fakes.slot("resolver").get("restarts_hung") == 3
    heal(fakes, "resolver")  # hangs again: down for another window at once
    time.sleep(2)
    assert len(fakes.starts("resolver")) == 4
    # The others never noticed.
    assert len(fakes.starts("sync")) == 1 and len(fakes.starts("health")) == 1


@pytest.mark.parametrize("fakes", [{"restart-hung": False}], indirect=True)
def test_healing_switched_off_leaves_it_alone_and_says_so(fakes):
    pid, slot = fakes.pid("resolver"), fakes.slot("resolver")
    slot.set("heal_boot", slot.get("boot"))
    until("said", lambda: "left alone" in fakes.log(), 20)
    time.sleep(0.5)
    assert not gone(pid) and len(fakes.starts("resolver")) == 1
    assert fakes.log().count("left alone") == 1


def test_a_supervisor_that_was_stopped_itself_accuses_nobody(fakes):
    pids = [fakes.pid(n) for n in NAMES]
    stopped = [fakes.process.pid] + pids
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(12)
    os.kill(fakes.process.pid, signal.SIGCONT)
    time.sleep(1)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    assert [fakes.pid(n) for n in NAMES] == pids
    assert "the supervisor itself was late" in fakes.log()


def test_a_second_run_is_refused(fakes):
    start = time.monotonic()
    p = subprocess.run(fakes.argv("run"), capture_output=True, text=True, timeout=20)
    assert p.returncode == 2 and "another `candor run`" in p.stderr
    assert time.monotonic() - start < 4.5, "it does not wait for a lock that a living supervisor holds"
    assert fakes.process.poll() is None and len(fakes.starts("sync")) == 1


def test_killed_supervisor_takes_all_with_it_and_a_new_one_starts(fakes):
    fakes.tell("resolver", "family")
    os.kill(fakes.pid("resolver"), signal.SIGKILL)
    until("with a child", lambda: psutil.Process(fakes.pid("resolver")).children(), 20)
    pids = [fakes.pid(n) for n in NAMES]
    os.kill(pids[0], signal.SIGSTOP)  # a stopped one dies as well
    fakes.process.kill()
    fakes.process.wait()
    until("all died", lambda: all(gone(p) for p in pids), 20)
    # Its child does not die with it (a real worker does): while it lives, the folder is not free.
    p = subprocess.run(fakes.argv("run"), capture_output=True, text=True, timeout=30)
    assert p.returncode == 2 and "still alive" in p.stderr
    for sleep in [p for p in psutil.process_iter() if holds(p, fakes.run)]:
        sleep.kill()
    fakes.untell("resolver", "family")
    open(fakes.log_path, "w").close()
    fakes.start()
    assert fakes.slot("resolver").get("restarts_died") == 0, "a new boot of the node counts from nothing"


def holds(process, run):
    try:
        return process.name() == "sleep" and os.path.join(run, "daemons.lock") in [
            os.readlink("/proc/%d/fd/%s" % (process.pid, n)) for n in os.listdir("/proc/%d/fd" % process.pid)]
    except (OSError, psutil.Error):
        return False


def test_no_worker_outlives_its_daemon(fakes):
    fakes.tell("resolver", "family")
    os.kill(fakes.pid("resolver"), signal.SIGKILL)
    child = until("with a child", lambda: psutil.Process(fakes.pid("resolver")).children(), 20)[0]
    os.kill(fakes.pid("resolver"), signal.SIGKILL)
    until("the child died, too", lambda: gone(child.pid), 20)


def test_sighup_reaches_sync_alone(fakes):
    fakes.process.send_signal(signal.SIGHUP)
    until("sync reads again", lambda: any(w == "reread" for _, w, _ in fakes.events()), 20)
    time.sleep(0.2)
    assert [n for n, w, _ in fakes.events() if w == "reread"] == ["sync"]


def test_who_does_not_stop_is_ended(fakes):
    pid = fakes.pid("resolver")
    fakes.tell("resolver", "deaf")
    start = time.monotonic()
    assert fakes.stop() == 0
    assert time.monotonic() - start > 4.5
    assert gone(pid) and "did not stop in time" in fakes.log()


def test_asked_twice_ends_at_once(fakes):
    for n in NAMES:
        fakes.tell(n, "deaf")
    fakes.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    start = time.monotonic()
    assert fakes.stop() == 0
    assert time.monotonic() - start < 4.5


def test_a_daemon_that_is_missing_is_said(fakes):
    fakes.stop()
    os.unlink(os.path.join(fakes.bin, "candor-health"))
    p = subprocess.run(fakes.argv("run"), capture_output=True, text=True, timeout=20)
    assert p.returncode == 2 and "candor-health is neither in" in p.stderr
    assert [n for n, w, _ in fakes.events()].count("sync") == 2, "nothing was started"


def test_as_pid_1_it_buries_strangers_and_stops(tmp_path):
    fakes = Fakes(tmp_path / "node", prefix=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
    fakes.tell("sync", "family")
    with fakes:
        init = until("init", lambda: psutil.Process(fakes.process.pid).children(), 20)[0]
        assert init.name() == "candor"
        time.sleep(0.5)
        until("no zombies", lambda: not [c for c in init.children() if c.status() == psutil.STATUS_ZOMBIE], 20)
        daemons = {c.name() for c in init.children()}
        assert daemons == {"candor-sync", "candor-resolver"[:15], "candor-health"}, daemons
        victim = [c for c in init.children() if c.name() == "candor-sync"][0]
        victim.kill()
        until("sync again", lambda: len(fakes.starts("sync")) == 2, 20)
        init.terminate()
        assert fakes.process.wait(15) == 0
