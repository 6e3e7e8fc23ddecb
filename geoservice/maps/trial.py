"""A trial of the renderer for `geoservice doctor`: does a child start here, and how is it shut in?"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from geoservice.maps.frames import LENGTH, head_of, packed
from geoservice.maps.renderer import environment, order
from ingest.sandbox import unprivileged

_SECONDS = 60.0


def try_renderer() -> dict[str, str] | None:
    """Start a child, let it draw its first map, and end it.

    Returns:
        What confinement it achieved, by kind; None when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="geoservice-map-"))
    user = unprivileged()
    if user is not None:
        os.chown(folder, *user)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "geoservice.maps.child"],
            input=packed(order(folder, user), {}),
            env=environment(folder),
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
