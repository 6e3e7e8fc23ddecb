"""Which JavaScript modules a page needs at once: it names them all, so that the browser fetches them side by side."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath
from posixpath import normpath

_IMPORTED = re.compile(r'^(?:import|export)\s[^;"]*"(\.{1,2}/[^"]+)"', re.MULTILINE)
"""A static import (ECMA-262, 16.2.2) of a file beside; `import()` is asked for later and is none."""


@lru_cache(maxsize=16)
def modules_of(entry: str) -> tuple[str, ...]:
    """The modules that a module imports, and those that these import, without the module itself.

    Args:
        entry: File below `web/static`, such as `portal/main.js`.

    Returns:
        Files below `web/static`, nearest first.
    """
    static = resources.files("web") / "static"
    found, waiting = [entry], [entry]
    while waiting:
        name = waiting.pop(0)
        for beside in _IMPORTED.findall((static / name).read_text(encoding="utf-8")):
            needed = normpath(PurePosixPath(name).parent / beside)
            if needed not in found:
                found.append(needed)
                waiting.append(needed)
    return tuple(found[1:])
