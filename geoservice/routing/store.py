"""Graphs in files that all worker processes map into memory, so that they share one copy.

A folder holds one graph; it appears under its name when it is complete. Only the user of the service may read it,
because graphs of higher clearances lie beside those of the public.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geoservice.alone import alone
from geoservice.routing.graph import Graph, Stamp, arrays_of, graph_from
from layers.network import Network

FORMAT = 1
"""Changes when graphs are made or kept in another way."""
_NAMED = re.compile(r"(\d{1,18})-(\d{1,18})")


class GraphStore:
    """The graphs of one network for one kind of reader, in `<folder>/<name>`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Remember where; nothing is made before a graph is kept."""
        self._folder = folder / name

    def load(self, stamp: Stamp, network: Network) -> Graph | None:
        """The graph of an edition; None when none is kept."""
        place = self._place(stamp)
        try:
            names = json.loads((place / "names.json").read_text())
            arrays = {name: _mapped(place / f"{number}.npy") for number, name in enumerate(names)}
        except FileNotFoundError:
            return None
        return graph_from(arrays, network, stamp)

    def newest(self, network: Network) -> Graph | None:
        """The graph of the latest edition that is kept, of whatever the next one may be made from."""
        stamps = sorted(self._kept(), key=lambda stamp: stamp.committed, reverse=True)
        return next((graph for stamp in stamps if (graph := self.load(stamp, network)) is not None), None)

    def keep(self, graph: Graph) -> None:
        """Write a graph and drop those that it makes superfluous; whoever has them mapped keeps reading them.

        Called by the one process that is `making`: what others left behind is dropped, too.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob("new-*"):
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            arrays = arrays_of(graph)
            for number, array in enumerate(arrays.values()):
                np.save(made / f"{number}.npy", array)
            (made / "names.json").write_text(json.dumps(list(arrays)))
            with suppress(OSError):
                # Another process may have kept the same graph a moment ago.
                made.rename(self._place(graph.stamp))
        finally:
            shutil.rmtree(made, ignore_errors=True)
        self._sweep(graph.stamp)

    def making(self) -> AbstractContextManager[bool]:
        """Whether this process may make a graph now; another one does while it is False."""
        return alone(self._folder)

    def _place(self, stamp: Stamp) -> Path:
        return self._folder / f"{stamp.edition}-{stamp.committed}"

    def _kept(self) -> list[Stamp]:
        found = (_NAMED.fullmatch(place.name) for place in self._folder.glob("*"))
        return [Stamp(int(named[1]), int(named[2])) for named in found if named is not None]

    def _sweep(self, latest: Stamp) -> None:
        for stamp in self._kept():
            if stamp.committed < latest.committed:
                shutil.rmtree(self._place(stamp), ignore_errors=True)


def _mapped(file: Path) -> npt.NDArray[Any]:
    # As a plain array over the mapped pages: the class of mapped ones costs a microsecond for each look.
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array
