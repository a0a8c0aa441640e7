"""Data files with all that rbldnsd knows and much that it does not: the same answers from both (rbldnsd_diff.py)."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def test_the_same_answers_from_made_files():
    run = subprocess.run([sys.executable, os.path.join(HERE, "rbldnsd_diff.py"), "--seconds", "45", "--from-seed", "1"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
    said = run.stdout.decode(errors="replace")
    assert run.returncode == 0, said
    counted = re.search(r"(\d+) rounds, (\d+) questions compared", said)
    assert counted and int(counted[2]) >= 500, said  # it did compare
