"""Zones from and to BIND, Knot, NSD and PowerDNS: the short version of interop.py, whose whole matrix is `make interop`."""
import os

import pytest

import interop

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
CELLS = [("bind", "ixfr"), ("knot", "ixfr"), ("nsd", "ixfr"), ("pdns", "axfr"), ("bind", "tls")]


@pytest.mark.parametrize("kind,cell", CELLS)
@pytest.mark.parametrize("side", ["out", "in"])
def test_both_have_the_same_afterwards(kind, cell, side, tmp_path):
    assert interop.run_cell(cell, side == "out", interop.OTHERS[kind], str(tmp_path / "lab"))


def test_another_secret_gets_nothing(tmp_path):
    assert interop.run_cell("badkey", True, interop.OTHERS["bind"], str(tmp_path / "lab"))
