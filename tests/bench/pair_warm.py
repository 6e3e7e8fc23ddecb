"""Tiles that are kept: our service against a bare application that sends the same bytes through the same server."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.bench import hammer, servers, workload
from tests.bench.results import Figures, Side, comparison, in_turn
from tests.bench.world import LAYER, World

CONNECTIONS, ROUNDS, ENCODING = 32, 400, "zstd, gzip"
_OWN = (b"date", b"server", b"connection")


def measure(world: World, repetitions: int, requests: int, tell: Callable[[str], None]) -> Figures:
    """Both sides in turn."""
    wanted = workload.tiles(world.bounds(), requests)
    paths = sorted({f"/collections/{LAYER}/tiles/WebMercatorQuad/{a.z}/{a.y}/{a.x}" for a in wanted})
    patience: dict[str, list[float]] = {"ours": [], "bare": []}
    work: dict[str, list[float]] = {"ours": [], "bare": []}
    with servers.geoservice(world, kept=True) as port:
        paths = [path for path in paths if answered(port, path)]
        record(port, paths, world.home / "bare.json")
        with servers.bare(world, world.home / "bare.json", paths[0]) as other:

            def passes(where: int, name: str) -> Callable[[], float]:
                def once() -> float:
                    before = servers.busy_seconds(where)
                    rate, wait = hammer.hammer(where, paths, CONNECTIONS, ROUNDS, ENCODING)
                    work[name].append((servers.busy_seconds(where) - before) / CONNECTIONS / ROUNDS)
                    patience[name].append(wait)
                    return rate

                return once

            # Each worker finds each tile once on disk before it has it in memory.
            hammer.hammer(port, paths, CONNECTIONS, ROUNDS, ENCODING)
            sides: list[Side] = [("geoservice", passes(port, "ours")), ("bare application", passes(other, "bare"))]
            found = in_turn(sides, repetitions, tell)
    middle = {name: median(waits) for name, waits in patience.items()}
    cost = {name: 1e6 * median(seconds) for name, seconds in work.items()}
    conditions = (
        f"{len(paths)} tiles of the layer {LAYER}, all in memory, as Zstandard; {CONNECTIONS} connections, "
        f"{servers.WORKERS} workers of the same server and protocol. The bare application looks the path up in a "
        "dictionary and sends the same header fields and bytes. 99 of 100 answers came within "
        f"{middle['ours']:.1f} ms, of the bare application within {middle['bare']:.1f} ms. An answer took its worker "
        f"processes {cost['ours']:.0f} us of processor time, those of the bare application {cost['bare']:.0f} us."
    )
    return comparison("Kept vector tiles", "tiles/s", conditions, found)


def answered(port: int, path: str) -> bool:
    """Whether a tile has content."""
    with_content = hammer.question(port, path, ENCODING)
    return servers.status_of(port, path) == 200 and len(hammer.whole_answer(port, with_content)) > 0


def record(port: int, paths: Sequence[str], file: Path) -> None:
    """Write down what the service answers, for the bare application."""
    told = {}
    for path in paths:
        head, _, body = hammer.whole_answer(port, hammer.question(port, path, ENCODING)).partition(b"\r\n\r\n")
        fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        kept = [(name.decode(), value.decode()) for name, value in fields if name.lower() not in _OWN]
        told[path] = {"headers": kept, "body": b64encode(body).decode()}
    file.write_text(json.dumps(told), encoding="utf-8")
