#!/usr/bin/python3
"""How long files and functions are. A file has one concept: over 500 lines is a warning, over 800 an error; a function over
70 lines is a warning, over 100 an error; a header over 150 lines is an error unless it stands in LONG with its reason."""
import os
import re
import statistics
import sys

import floors

LONG = {
    "resolver/base/conf.h": "one struct for each section of the configuration",
    "resolver/base/board.h": "the layout of the shared page, in one place",
    "rbl/keep/wire.h": "inline: every look-up reads through it",
}
FILE_WARN, FILE_MAX, FUNCTION_WARN, FUNCTION_MAX, HEADER_MAX = 500, 800, 70, 100, 150


def functions(lines):
    """(name, first line, length) of every function, after the house style: '{' ends a line, '}' stands alone at column 0."""
    start = name = None
    for number, line in enumerate(lines, 1):
        if start is None or re.match(r"[A-Za-z_]", line):
            m = re.match(r"[A-Za-z_][^=;]*?(\w+)\(", line)
            if m and not line.rstrip().endswith(";"):
                start, name = number, m.group(1)
        if start is not None and line.startswith("}"):
            if line.rstrip() == "}":
                yield name, start, number - start + 1
            start = None
        elif start == number and line.rstrip().endswith("}"):
            yield name, start, 1
            start = None


def main():
    errors, warnings, lengths, sizes = [], [], [], []
    for path in floors.sources():
        with open(os.path.join(floors.ROOT, path), encoding="utf8") as f:
            lines = f.read().split("\n")[:-1]
        if path.endswith(".h"):
            if len(lines) > HEADER_MAX and path not in LONG:
                errors.append("%s: header of %d lines (at most %d)" % (path, len(lines), HEADER_MAX))
            continue
        sizes.append((len(lines), path))
        if len(lines) > FILE_WARN:
            (errors if len(lines) > FILE_MAX else warnings).append("%s: %d lines" % (path, len(lines)))
        for name, at, length in functions(lines):
            lengths.append((length, "%s:%d: %s" % (path, at, name)))
            if length > FUNCTION_WARN:
                (errors if length > FUNCTION_MAX else warnings).append("%s:%d: %s has %d lines" % (path, at, name, length))
    for line in warnings:
        print("warning: " + line)
    for line in errors:
        print("error: " + line)
    if sizes:
        print("%d files, median %d lines, longest %d (%s)" % (len(sizes), statistics.median(n for n, _ in sizes), *max(sizes)))
    if lengths:
        print("%d functions, median %d lines, longest %d (%s)" % (len(lengths), statistics.median(n for n, _ in lengths), *max(lengths)))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
