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
MAX_CLASSES = 4096
"""A band with more distinct values than this is no classification."""


@dataclass
class Tally:
    """Figures of one band. Moments are merged chunk by chunk (Chan, Golub and LeVeque 1979), sums by `math.fsum`."""

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

    def add(self, values: Values, cells: int) -> None:
        """Add the valid values of a chunk that has `cells` cells in all."""
        self.cells += cells
        if not values.size:
            return
        exact = values.astype(np.float64)
        self.minimum = min(self.minimum, float(exact.min()))
        self.maximum = max(self.maximum, float(exact.max()))
        self._merge(exact)
        self._outside(exact)
        if self.classed:
            found, counts = np.unique(values, return_counts=True)
            self.classes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def add_histogram(self, values: Values) -> None:
        """Count valid values in equal classes between the extremes; called in a second pass, when those are known."""
        if self.classed or not self.valid:
            return
        counts = self._classes_of(values)
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

    def _merge(self, exact: npt.NDArray[np.float64]) -> None:
        count, total = exact.size, float(exact.sum())
        mean = total / count
        apart, whole = mean - self.mean, self.valid + count
        self.squares += float(np.square(exact - mean).sum()) + apart * apart * self.valid * count / whole
        self.mean += apart * count / whole
        self.valid = whole
        self.sums.append(total)

    def _outside(self, exact: npt.NDArray[np.float64]) -> None:
        if self.band.range is None:
            return
        low, high = self.band.range
        if low is not None:
            self.outside += int(np.count_nonzero(exact < low))
        if high is not None:
            self.outside += int(np.count_nonzero(exact > high))

    def _classes_of(self, values: Values) -> npt.NDArray[np.int64]:
        if self.minimum == self.maximum:
            last = np.zeros(HISTOGRAM_CLASSES, dtype=np.int64)
            last[-1] = values.size
            return last
        extremes = (self.minimum, self.maximum)
        return np.histogram(values.astype(np.float64), HISTOGRAM_CLASSES, range=extremes)[0].astype(np.int64)

    def _edges(self) -> npt.NDArray[np.float64]:
        return np.linspace(self.minimum, self.maximum, HISTOGRAM_CLASSES + 1)
