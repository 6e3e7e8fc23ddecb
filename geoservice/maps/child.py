"""Entry point of the confined renderer (`python -m geoservice.maps.child`): MapLibre Native draws here.

Standard input carries jobs, standard output images (`geoservice.maps.frames`). A job brings its style and every tile
and sprite that the style names; glyphs are read from the folder of the service. Nothing else can be had: there is no
network, no database and no view of other files, so a job draws what its reader may see and no more.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import mapli

from geoservice.maps.frames import LENGTH, MOST, head_of, packed
from ingest.confine import Confinement, cut_network, lock_in

SCHEME = "job"
GLYPHS = f"{SCHEME}://glyphs/{{fontstack}}/{{range}}"
_NEEDED = ("/usr/share/glvnd", "/usr/share/drirc.d", "/proc/self", "/sys/devices/system/cpu")
"""What the OpenGL libraries read beside themselves."""
_BLANK = {"version": 8, "sources": {}, "layers": []}


class Shelf:
    """The files of the job at work; addresses carry the number of the job, so that none is taken from another."""

    def __init__(self, glyphs: Path) -> None:
        """Serve glyphs from a folder."""
        self._files: Mapping[str, bytes] = {}
        self._prefix = ""
        self._glyphs = glyphs

    def put(self, number: int, files: Mapping[str, bytes]) -> None:
        """Take the files of the next job."""
        self._files, self._prefix = files, f"{SCHEME}://{number}/"

    def __call__(self, request: mapli.ResourceRequest) -> mapli.Response:
        """Answer the renderer's question for a file."""
        if request.kind == "glyphs":
            return mapli.Response(_glyphs(self._glyphs, request.url.rpartition("/")[2]))
        known = request.url.startswith(self._prefix)
        body = self._files.get(unquote(request.url.removeprefix(self._prefix))) if known else None
        return mapli.Response.no_content() if body is None else mapli.Response(body)


@lru_cache(maxsize=128)
def _glyphs(folder: Path, span: str) -> bytes:
    return (folder / f"{span}.pbf").read_bytes()


def main() -> int:
    """Lock in, draw a first map to have everything ready, then draw until the jobs end."""
    jobs, images = sys.stdin.buffer, _own_output()
    order, _ = head_of(_read(jobs, LENGTH.unpack(_read(jobs, LENGTH.size))[0]))
    achieved: dict[str, Any] = {"network": cut_network()}
    wanted = order["confinement"]
    readable = (*wanted["readable"], order["glyphs"], *_NEEDED)
    achieved |= lock_in(Confinement(**{**wanted, "readable": readable}))
    shelf = Shelf(Path(order["glyphs"]))
    mapli.register_scheme_handler(SCHEME, shelf)
    pool = mapli.RenderPool(workers=1, max_renderers_per_worker=1)
    _draw(pool, 0, {"style": _BLANK, "lon": 0, "lat": 0, "zoom": 0, "width": 64, "height": 64, "ratio": 1})
    images.write(packed({"confinement": achieved}, {}))
    number = 0
    while length := jobs.read(LENGTH.size):
        job, sizes = head_of(_read(jobs, LENGTH.unpack(length)[0]))
        number += 1
        shelf.put(number, {name: _read(jobs, size) for name, size in sizes.items()})
        job["style"] = json.loads(json.dumps(job["style"]).replace(f"{SCHEME}://files/", f"{SCHEME}://{number}/"))
        images.write(_answer(pool, number, job))
    return 0


def _answer(pool: mapli.RenderPool, number: int, job: dict[str, Any]) -> bytes:
    try:
        return packed({}, {"image": _draw(pool, number, job)})
    except (mapli.MapliError, ValueError) as error:
        return packed({"error": str(error)[:500]}, {})


def _draw(pool: mapli.RenderPool, number: int, job: dict[str, Any]) -> bytes:
    # A style that was drawn once is never read again under the same name: another map would show this one.
    name = f"job-{number}"
    pool.register_style(name, json=job["style"])
    place = {part: job[part] for part in ("lon", "lat", "zoom", "width", "height")}
    return bytes(pool.render(name, **place, pixel_ratio=job["ratio"]))


def _read(stream: IO[bytes], size: int) -> bytes:
    found = stream.read(size) if size <= MOST else b""
    if len(found) != size:
        raise EOFError("the job broke off")
    return found


def _own_output() -> IO[bytes]:
    """Keep standard output for images alone: whatever a library prints goes to standard error."""
    images = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return images


if __name__ == "__main__":
    # Threads of the renderer may still hold the interpreter; nothing is left to clean up.
    code = main()
    os._exit(code)
