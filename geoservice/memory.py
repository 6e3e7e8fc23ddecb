"""How the C library hands out memory to threads."""

from __future__ import annotations

import ctypes
import os

ARENAS = 2
_ARENA_MAX = -8
"""`M_ARENA_MAX` of glibc's malloc.h."""


def limit_arenas() -> None:
    """Let threads share two arenas of glibc.

    By default each thread gets one of its own (up to eight per processor), and what drawing of images frees in one is
    not given to the others: the process grows for hours. Another C library, or a number that the operator has set, is
    left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENA_MAX, ARENAS)
