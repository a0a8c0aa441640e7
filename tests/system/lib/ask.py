"""tests/system/ask.c from Python: many questions to a server, every answer back."""
import collections
import os
import subprocess
import tempfile

from . import lists

Answer = collections.namedtuple("Answer", "question sent_us took_us rcode flags serial answers")

BUILD = os.environ.get("CANDOR_BUILD", os.path.join(lists.ROOT, "build"))


def program():
    return os.path.join(BUILD, "tests", "system", "ask")


def command(server, tcp=False, window=200, rate=0, seconds=0, sockets=16, timeout_ms=3000):
    args = [program(), "-s", server, "-n", str(sockets), "-W", str(timeout_ms)]
    if tcp:
        args.append("-t")
    return args + (["-r", str(rate), "-d", str(seconds)] if rate else ["-w", str(window)])


def read(path, questions):
    out = []
    with open(path, encoding="utf8", errors="replace") as f:
        for line in f:
            q, sent, took, rcode, flags, serial, answers = line.rstrip("\n").split("\t")
            out.append(Answer(questions[int(q)], int(sent), int(took), rcode, flags, int(serial),
                              tuple(answers.split(" | ")) if answers else ()))
    return out


def ask(server, questions, **kw):
    """Each of `questions` ("NAME TYPE") once; the answers in that order."""
    with tempfile.TemporaryDirectory() as d:
        into = os.path.join(d, "answers")
        with open(into, "wb") as f:
            subprocess.run(command(server, **kw), input="\n".join(questions).encode() + b"\n", stdout=f, stderr=subprocess.PIPE,
                           check=True, timeout=600)
        return read(into, questions)


class Load:
    """Questions at a steady rate in the background, whether answers come or not."""

    def __init__(self, server, questions, rate, seconds, **kw):
        self.questions = questions
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "answers")
        with open(os.path.join(self.folder.name, "questions"), "w") as f:
            f.write("\n".join(questions) + "\n")
        self.process = subprocess.Popen(command(server, rate=rate, seconds=seconds, **kw),
                                        stdin=open(f.name, "rb"), stdout=open(self.path, "wb"), stderr=subprocess.PIPE)

    def running(self):
        return self.process.poll() is None

    def answers(self, within_s=600):
        self.process.communicate(timeout=within_s)
        assert self.process.returncode == 0
        return read(self.path, self.questions)

    def stop(self):
        if self.running():
            self.process.kill()
        self.process.wait()
        self.folder.cleanup()
