"""Arrays in files that all worker processes map into memory, such as atoms.

A folder holds what was made of one edition of a layer, for readers of one clearance; it appears under its name when it
is complete. Only the user of the service may read it.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from geoservice.alone import alone
from geoservice.impact.atoms import Atoms

FORMAT = 2
"""Changes when atoms are made or kept in another way."""
_NAMED = re.compile(r"\d+-\d+-\d+-\d+")
_WORDS = "words.json"


class Stamp(NamedTuple):
    """Editions of a layer and of the divisions that split it: numbers, and when they were committed (microseconds).

    Numbers alone would not do: a database that was restored counts on from where it stood.
    """

    edition: int
    committed: int
    divisions: int
    divided: int

    @property
    def name(self) -> str:
        """As a folder is called."""
        return "-".join(map(str, self))


Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


class ArrayStore:
    """Arrays of one layer, made for one kind of reader, in a folder."""

    def __init__(self, folder: Path) -> None:
        """Remember where; nothing is made before something is kept."""
        self._folder = folder

    def read(self, stamp: Stamp) -> tuple[Arrays, dict[str, Any]] | None:
        """The arrays of an edition and the words beside them; None when none are kept."""
        place = self._folder / stamp.name
        try:
            words = json.loads((place / _WORDS).read_text())
            return {name: _mapped(place / f"{name}.npy") for name in words["arrays"]}, words
        except FileNotFoundError:
            return None

    def write(self, stamp: Stamp, arrays: Arrays, words: Mapping[str, Any]) -> None:
        """Write arrays and drop those of other editions; whoever has them mapped keeps reading them."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob("new-*"):
            shutil.rmtree(left, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            for name, array in arrays.items():
                np.save(made / f"{name}.npy", array)
            (made / _WORDS).write_text(json.dumps({"arrays": list(arrays), **words}))
            with suppress(OSError):
                # Another process may have kept the same arrays a moment ago.
                made.rename(self._folder / stamp.name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        for old in self._folder.iterdir():
            if _NAMED.fullmatch(old.name) and old.name != stamp.name:
                shutil.rmtree(old, ignore_errors=True)

    def making(self) -> AbstractContextManager[bool]:
        """Whether this process may make arrays now; another one does while it is False."""
        return alone(self._folder)


class AtomStore(ArrayStore):
    """The atoms of one layer for one kind of reader, in a folder."""

    def load(self, stamp: Stamp) -> Atoms | None:
        """The atoms of an edition; None when none are kept."""
        found = self.read(stamp)
        if found is None:
            return None
        arrays, words = found
        return Atoms.of(arrays, words["codes"], words["divisions"])

    def keep(self, stamp: Stamp, atoms: Atoms) -> None:
        """Write atoms and drop those of other editions."""
        self.write(stamp, atoms.arrays(), {"codes": atoms.codes, "divisions": atoms.divisions})


def _mapped(file: Path) -> npt.NDArray[Any]:
    # As a plain array over the mapped pages: the class of mapped ones costs a microsecond for each look.
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array
