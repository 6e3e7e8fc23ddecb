"""The histogram of a band against exact fractions: values on an edge, and ranges near the largest double."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ingest.tally import HISTOGRAM_CLASSES, Tally
from layers.model import Band


def _histogram(values: np.ndarray) -> list[int]:
    tally = Tally(Band(name="height"), classed=False)
    for part in np.array_split(values, 3):
        tally.add(part, part.size)
    tally.close()
    for part in np.array_split(values, 3):
        tally.add_histogram(part)
    return list(tally.figures(values.dtype.name, None).histogram)


def _exact(values: np.ndarray) -> list[int]:
    """Equal classes, closed below; the last one holds the maximum too."""
    low, high = Fraction(float(values.min())), Fraction(float(values.max()))
    counts = [0] * HISTOGRAM_CLASSES
    for value in values.tolist():
        place = (Fraction(value) - low) * HISTOGRAM_CLASSES // (high - low)
        counts[min(int(place), HISTOGRAM_CLASSES - 1)] += 1
    return counts


@pytest.mark.parametrize("span", [3, 64, 192, 640, 7 * 64, 1000])
@pytest.mark.parametrize("low", [-5000, 0, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int16"])
def test_whole_numbers_on_an_edge_belong_to_the_class_above_it(low: int, span: int, dtype: str) -> None:
    values = np.repeat(np.arange(low, low + span + 1), 2).astype(dtype)

    assert _histogram(values) == _exact(values)


def test_decimals_are_counted_between_the_extremes() -> None:
    values = np.random.default_rng(4).normal(1200, 300, 20_000).astype("float32")

    assert _histogram(values) == _exact(values)


@pytest.mark.parametrize("largest", [1e307, 8e307])
def test_a_range_near_the_largest_double_has_a_histogram(largest: float) -> None:
    values = np.linspace(-largest, largest, 200)
    tally = Tally(Band(name="height"), classed=False, valid=200, minimum=-largest, maximum=largest)

    tally.add_histogram(values)

    assert tally.histogram is not None
    assert tally.histogram.tolist() == _exact(values)


def test_one_value_fills_the_last_class() -> None:
    assert _histogram(np.full(7, 3.5)) == [0] * (HISTOGRAM_CLASSES - 1) + [7]
