"""Small parts: noise, names, rule tables, lines, slope classes."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.sample.chance import Noise, stream
from ingest.sample.landuse import cover_of, slope_class
from ingest.sample.lines import along, resample, smooth
from ingest.sample.names import NameGiver, surveyors
from ingest.sample.rules import INF, decide


def test_streams_of_different_subjects_are_independent_and_repeatable() -> None:
    assert stream(1, "a").random() == stream(1, "a").random()
    assert len({stream(s, n).random() for s in (1, 2) for n in ("a", "b")}) == 4


def test_noise_is_bounded_smooth_and_repeatable() -> None:
    x, y = np.meshgrid(np.linspace(0, 5, 400), np.linspace(0, 5, 400))
    values = Noise(4, "test", width=1.0)(x, y)
    assert np.abs(values).max() <= 1.0
    assert values.std() > 0.1
    assert np.abs(np.diff(values, axis=1)).max() < 0.1
    np.testing.assert_array_equal(values, Noise(4, "test", width=1.0)(x, y))


def test_names_are_given_once_in_both_languages() -> None:
    giver = NameGiver(stream(1, "names"))
    names = [giver.place() for _ in range(400)] + [giver.river() for _ in range(120)]
    assert len({n.zh for n in names}) == len({n.en for n in names}) == 520


def test_surveyors_differ() -> None:
    people = surveyors(stream(1, "people"), 40)
    assert len(set(people)) == 40


def test_the_first_fitting_rule_decides_and_ranges_are_half_open() -> None:
    rules = (("a", {"x": (0.0, 1.0)}), ("b", {"x": (-INF, 1.5), "y": (2.0, INF)}), ("c", {"x": (1.0, INF)}))
    x, y = np.array([0.0, 0.99, 1.0, 1.0, -1.0]), np.array([9.0, 0.0, 2.0, 1.99, 0.0])
    assert decide(rules, {"x": x, "y": y}, "none").tolist() == ["a", "a", "b", "c", "none"]


def test_slope_classes_follow_the_land_survey() -> None:
    slopes = np.array([0.0, 2.0, 2.01, 6.0, 6.01, 15.0, 15.01, 25.0, 25.01, 60.0])
    assert slope_class(slopes).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(("code", "cover"), [("0101", 82), ("0301", 41), ("0404", 71), ("1103", 11), ("1109", 24)])
def test_land_cover_of_a_class(code: str, cover: int) -> None:
    assert cover_of(code) == cover


def test_smoothing_and_resampling_keep_the_ends() -> None:
    line = np.array([[105.0, 38.6], [105.01, 38.6], [105.01, 38.61], [105.02, 38.62]])
    smoothed = smooth(line)
    np.testing.assert_array_equal(smoothed[[0, -1]], line[[0, -1]])
    even = resample(smoothed, 50.0)
    np.testing.assert_array_equal(even[[0, -1]], line[[0, -1]])
    assert np.diff(along(even)).max() <= 50.1
