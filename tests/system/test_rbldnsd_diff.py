"""Data files with all that rbldnsd knows and much that it does not: the same answers from both (rbldnsd_diff.py). The same
rounds each time for 50 s; with CANDOR_FUZZ_SECONDS=3600 for so long, and others each time."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def test_the_same_answers_from_made_files():
    asked_for = os.environ.get("CANDOR_FUZZ_SECONDS")
    seconds = float(asked_for or 50)
    command = [sys.executable, os.path.join(HERE, "rbldnsd_diff.py"), "--seconds", str(seconds)] + ([] if asked_for else ["--from-seed", "1"])
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 150)
    said = run.stdout.decode(errors="replace")
    assert run.returncode == 0, said
    counted = re.search(r"(\d+) rounds, (\d+) questions compared", said)
    assert counted and int(counted[2]) >= 500, said  # it did compare
