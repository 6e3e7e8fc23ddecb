"""Running figures of raster bands: each chunk of cells is added once, in any number of chunks."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.asset import BandFigures
from layers.model import Band

Values = npt.NDArray[Any]
HISTOGRAM_CLASSES = 64
_BLOCK = 1 << 16
"""Values that are worked on at once: they stay in the cache of the processor."""
_NARROW, _VALUES, _OFFSET = 2, 3 << 15, 1 << 15
"""Bytes of a narrow whole number; how many of those there are, signed or not; the place of zero among them."""
_SHRINK = 2.0**-8
"""By this, ranges near the largest double become narrow enough to calculate with."""
MAX_CLASSES = 4096
"""A band with more distinct values than this is no classification."""


@dataclass
class Tally:
    """Figures of one band. Narrow whole numbers are counted by value; of others, moments are merged block by block.

    Sources: merging of moments by Chan, Golub and LeVeque (1979); sums by `math.fsum`.
    """

    band: Band
    classed: bool
    cells: int = 0
    valid: int = 0
    outside: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    sums: list[float] = field(default_factory=list)
    classes: Counter[int] = field(default_factory=Counter)
    histogram: npt.NDArray[np.int64] | None = None
    table: npt.NDArray[np.int64] | None = None

    def add(self, values: Values, cells: int) -> None:
        """Add the valid values of a chunk that has `cells` cells in all; all chunks have one type."""
        self.cells += cells
        flat = values.ravel()
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK]
            if block.dtype.kind in "iu" and block.dtype.itemsize <= _NARROW:
                self._count(block)
            else:
                self._add_block(block)

    @property
    def distinct(self) -> int:
        """How many values a classification holds so far."""
        return len(self.classes) if self.table is None else int(np.count_nonzero(self.table))

    @property
    def complete(self) -> bool:
        """Whether the histogram needs no second pass; call `close` first."""
        return self.classed or not self.valid or self.table is not None

    def close(self) -> None:
        """Work out the figures of narrow whole numbers, when all chunks were added."""
        if self.table is None or not self.table.any():
            return
        found = np.flatnonzero(self.table)
        counts, values = self.table[found], found - _OFFSET
        self.valid = int(counts.sum())
        self.minimum, self.maximum = float(values[0]), float(values[-1])
        total = sum(int(v) * int(c) for v, c in zip(values, counts, strict=True))
        self.mean, self.sums = total / self.valid, [float(total)]
        self.squares = math.fsum((np.square(values - self.mean) * counts).tolist())
        low, high = self._plausible()
        self.outside = int(counts[(values < low) | (values > high)].sum())
        if self.classed:
            self.classes = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        else:
            self.histogram = self._classes_of(values.astype(np.float64), counts)

    def add_histogram(self, values: Values) -> None:
        """Count valid values in equal classes between the extremes; called in a second pass, when those are known."""
        if self.complete:
            return
        flat = values.ravel()
        for start in range(0, flat.size, _BLOCK):
            counts = self._classes_of(flat[start : start + _BLOCK].astype(np.float64))
            self.histogram = counts if self.histogram is None else self.histogram + counts

    def figures(self, dtype: str, nodata: float | None) -> BandFigures:
        """The figures as a value."""
        text = BandFigures(name=self.band.name, dtype=dtype, nodata=nodata, cells=self.cells, valid=self.valid)
        if not self.valid:
            return text
        return text.model_copy(
            update={
                "minimum": self.minimum,
                "maximum": self.maximum,
                "mean": self.mean,
                "deviation": math.sqrt(self.squares / self.valid),
                "total": math.fsum(self.sums),
                "edges": () if self.histogram is None else tuple(self._edges().tolist()),
                "histogram": () if self.histogram is None else tuple(self.histogram.tolist()),
                "classes": dict(sorted(self.classes.items())),
            }
        )

    def _count(self, block: Values) -> None:
        if self.table is None:
            self.table = np.zeros(_VALUES, dtype=np.int64)
        low = int(block.min())
        counts = np.bincount(block.astype(np.intp) - low)
        self.table[low + _OFFSET : low + _OFFSET + counts.size] += counts

    def _add_block(self, block: Values) -> None:
        self.minimum = min(self.minimum, float(block.min()))
        self.maximum = max(self.maximum, float(block.max()))
        exact = block.astype(np.float64)
        self._merge(exact)
        low, high = self._plausible()
        if self.band.range is not None:
            self.outside += int(np.count_nonzero((exact < low) | (exact > high)))
        if self.classed:
            found, counts = np.unique(block, return_counts=True)
            self.classes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def _merge(self, exact: npt.NDArray[np.float64]) -> None:
        count, total = exact.size, float(exact.sum())
        mean = total / count
        apart, whole = mean - self.mean, self.valid + count
        rest = exact - mean
        self.squares += float(np.dot(rest, rest)) + apart * apart * self.valid * count / whole
        self.mean += apart * count / whole
        self.valid = whole
        self.sums.append(total)

    def _plausible(self) -> tuple[float, float]:
        low, high = self.band.range or (None, None)
        return -math.inf if low is None else low, math.inf if high is None else high

    def _classes_of(
        self, values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.int64]:
        if self.minimum == self.maximum:
            last = np.zeros(HISTOGRAM_CLASSES, dtype=np.int64)
            last[-1] = values.size if counts is None else int(counts.sum())
            return last
        # Divided last, not multiplied by a rounded width: whole numbers on an edge fall into the class above it.
        shrink = 1.0 if math.isfinite((self.maximum - self.minimum) * HISTOGRAM_CLASSES) else _SHRINK
        places = values * shrink if shrink != 1.0 else values.copy()
        places -= self.minimum * shrink
        places *= HISTOGRAM_CLASSES
        places /= self.maximum * shrink - self.minimum * shrink
        found = np.bincount(places.astype(np.intp), counts, minlength=HISTOGRAM_CLASSES + 1).astype(np.int64)
        found[-2] += found[-1]
        return found[:-1]

    def _edges(self) -> npt.NDArray[np.float64]:
        return np.linspace(self.minimum, self.maximum, HISTOGRAM_CLASSES + 1)
