"""Threads of a process share few arenas, as malloc itself tells."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, os, sys, threading
from xml.etree import ElementTree
from geoservice.memory import limit_arenas
if sys.argv[1] == "limited":
    limit_arenas()
barrier = threading.Barrier(9)
def hold():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    some = [libc.malloc(5000) for _ in range(50)]
    barrier.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
[one.start() for one in threads]
barrier.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
read, write = os.pipe()
stream = ctypes.c_void_p(libc.fdopen(write, b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(len(ElementTree.fromstring(os.fdopen(read).read()).findall("heap")))
"""


@pytest.mark.parametrize(("how", "most"), [("limited", 2), ("free", None)])
def test_threads_share_two_arenas(how: str, most: int | None) -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True, env={})
    found = int(told.stdout)
    assert found > 2 if most is None else found <= most
