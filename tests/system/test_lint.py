"""The lint finds what it is there for: a small tree with one fault at a time."""
import os
import shutil
import subprocess
import sys

import pytest

from lib.lists import ROOT

HEADER = "#ifndef CANDOR_%s\n#define CANDOR_%s\n%s\n#endif\n"


@pytest.fixture
def tree(tmp_path):
    shutil.copytree(os.path.join(ROOT, "tests", "lint"), tmp_path / "tests" / "lint", ignore=shutil.ignore_patterns("__pycache__"))
    write(tmp_path, "resolver/base/a.h", HEADER % ("A", "A", "int a(void);"))
    write(tmp_path, "resolver/base/a.c", '#include "resolver/base/a.h"\n\nint a(void) { return 1; }\n')
    write(tmp_path, "resolver/dns/b.c", '#include "resolver/base/a.h"\n')
    write(tmp_path, "resolver/main.c", '#include "rbl/answer.h"\n#include "resolver/base/a.h"\n')
    write(tmp_path, "rbl/answer.h", HEADER % ("B", "B", ""))
    write(tmp_path, "rbl/answer.c", '#include "rbl/answer.h"\n#include "resolver/serve/source.h"\n')
    write(tmp_path, "resolver/serve/source.h", HEADER % ("C", "C", ""))
    return tmp_path


def write(tree, path, text):
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)


def lint(tree, program="floors.py"):
    p = subprocess.run([sys.executable, str(tree / "tests" / "lint" / program)], capture_output=True, text=True, timeout=30)
    return p.returncode, p.stdout + p.stderr


def test_a_good_tree_passes(tree):
    assert lint(tree)[0] == 0, lint(tree)
    assert lint(tree, "sizes.py")[0] == 0, lint(tree, "sizes.py")


@pytest.mark.parametrize("path, text, words", [
    ("resolver/base/x.c", '#include "resolver/dns/b.h"\n', "missing"),
    ("resolver/base/x.c", '#include "resolver/serve/source.h"\n', "floor law: resolver/base"),
    ("resolver/dns/x.c", '#include "rbl/answer.h"\n', "only programs"),
    ("health/main.c", '#include "rbl/answer.h"\n', "does not compose"),
    ("health/probe/x.c", '#include "resolver/serve/source.h"\n', "floor law: health/probe"),
    ("resolver/dns/x.c", '#include "b.h"\n', "repo root"),
    ("resolver/dns/x.c", "#include <lmdb.h>\n", "belongs to: resolver/store"),
    ("rbl/load/x.c", "#include <uv.h>\n", "belongs to: resolver/net"),
    ("resolver/serve/x.c", "#include <ldns/ldns.h>\n", "belongs to"),
    ("health/web/x.c", "#include <netdb.h>\n", "no room"),
    ("resolver/attic/x.c", "int x;\n", "not in tests/lint/floors"),
    ("resolver/dns/x.c", "void f(void) { getaddrinfo(0, 0, 0, 0); }\n", "getaddrinfo is banned"),
    ("resolver/dns/x.c", "void f(char *a) { strcpy (a, a); }\n", "strcpy is banned"),
    ("resolver/dns/x.c", '/* "quoted */ void f(void) { popen("x", "r"); }\n', "popen is banned"),
])
def test_a_fault_is_found(tree, path, text, words):
    write(tree, path, text)
    code, out = lint(tree)
    assert code == 1 and words in out, out


def test_what_only_looks_like_a_fault(tree):
    write(tree, "resolver/dns/x.c", '/* getaddrinfo() is not for us */\nconst char *s = "strcpy(a)"; int my_strcpy(void);\n'
                                    "struct tm *t(void) { return gmtime_r(0, 0); }\n")
    assert lint(tree)[0] == 0, lint(tree)


def test_a_circle_of_headers(tree):
    for one, two in (("p", "q"), ("q", "r"), ("r", "p")):
        write(tree, "resolver/base/%s.h" % one, HEADER % (one, one, '#include "resolver/base/%s.h"' % two))
    code, out = lint(tree)
    assert code == 1 and "circle of includes" in out, out


def test_a_circle_of_rooms(tree):
    with open(tree / "tests" / "lint" / "floors", "a") as f:
        f.write("health/east: health/west\nhealth/west: health/east\n")
    code, out = lint(tree)
    assert code == 1 and "circle" in out, out


@pytest.mark.parametrize("path, text, words, fails", [
    ("resolver/base/long.c", "int x;\n" * 801, "801 lines", True),
    ("resolver/base/long.c", "int x;\n" * 501, "warning", False),
    ("resolver/base/long.h", "int x;\n" * 151, "header of 151", True),
    ("resolver/base/f.c", "static int f(int a,\n             int b) {\n" + "    a++;\n" * 99 + "}\n", "f has 102 lines", True),
    ("resolver/base/f.c", "int f(void) {\n" + "    a++;\n" * 79 + "}\n", "warning", False),
    ("resolver/base/f.c", "int f(void) {\n    a++;\n}\n" * 60, "2 files", False),
])
def test_sizes(tree, path, text, words, fails):
    if "2 files" in words:
        words = "median 3 lines"
    write(tree, path, text)
    code, out = lint(tree, "sizes.py")
    assert (code == 1) == fails and words in out, out
