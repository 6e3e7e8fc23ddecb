"""Entry point of the confined renderer (`python -m geoservice.maps.child`): MapLibre Native draws here.

Standard input carries jobs, standard output images (`geoservice.confined.frames`). A job brings its style and every
tile and sprite that the style names; glyphs are read from the folder of the service. Nothing else can be had: there is
no network, no database and no view of other files, so a job draws what its reader may see and no more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mapli

from geoservice.confined.frames import received
from geoservice.confined.inside import locked_in

SCHEME = "job"
GLYPHS = f"{SCHEME}://glyphs/{{fontstack}}/{{range}}"
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
    bench = locked_in()
    shelf = Shelf(Path(bench.orders["glyphs"]))
    mapli.register_scheme_handler(SCHEME, shelf)
    pool = mapli.RenderPool(workers=1, max_renderers_per_worker=1)
    _draw(pool, 0, {"style": _BLANK, "lon": 0, "lat": 0, "zoom": 0, "width": 64, "height": 64, "ratio": 1})
    bench.answer({"confinement": bench.achieved}, {})
    number = 0
    while (found := received(bench.jobs)) is not None:
        job, files = found
        number += 1
        shelf.put(number, files)
        job["style"] = json.loads(json.dumps(job["style"]).replace(f"{SCHEME}://files/", f"{SCHEME}://{number}/"))
        bench.answer(*_answer(pool, number, job))
    return 0


def _answer(pool: mapli.RenderPool, number: int, job: dict[str, Any]) -> tuple[Any, dict[str, bytes]]:
    try:
        return {}, {"image": _draw(pool, number, job)}
    except (mapli.MapliError, ValueError) as error:
        return {"error": str(error)[:500]}, {}


def _draw(pool: mapli.RenderPool, number: int, job: dict[str, Any]) -> bytes:
    # A style that was drawn once is never read again under the same name: another map would show this one.
    name = f"job-{number}"
    pool.register_style(name, json=job["style"])
    place = {part: job[part] for part in ("lon", "lat", "zoom", "width", "height")}
    return bytes(pool.render(name, **place, pixel_ratio=job["ratio"]))


if __name__ == "__main__":
    # Threads of the renderer may still hold the interpreter; nothing is left to clean up.
    code = main()
    os._exit(code)
