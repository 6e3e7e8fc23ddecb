"""A trial of the renderer for `geoservice doctor`: does a child start here, and how is it shut in?"""

from __future__ import annotations

import shutil
import struct
import subprocess

from geoservice.confined.child import own_folder
from geoservice.confined.frames import LENGTH, head_of
from geoservice.maps.renderer import CHILD, GLYPHS, PROCESSOR_SECONDS

_SECONDS = 60.0


def try_renderer() -> dict[str, str] | None:
    """Start a child, let it draw its first map, and end it.

    Returns:
        What confinement it achieved, by kind; None when it does not start.
    """
    folder = own_folder(CHILD)
    try:
        done = subprocess.run(
            CHILD.command(),
            input=CHILD.orders(folder, PROCESSOR_SECONDS, {"glyphs": GLYPHS}),
            env=CHILD.surroundings(folder),
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        length = LENGTH.unpack(done.stdout[: LENGTH.size])[0]
        value, _ = head_of(done.stdout[LENGTH.size : LENGTH.size + length])
        found: dict[str, str] = value["confinement"]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError, struct.error):
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found
