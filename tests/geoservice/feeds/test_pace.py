"""When a feed is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.feeds.answer import file_name, stamp
from geoservice.feeds.pace import LONGEST, pause


@given(st.floats(5, 86_400), st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_is_at_least_the_pace_and_at_most_an_hour_or_the_pace_within_a_tenth(
    every: float, failures: int, chance: float
) -> None:
    found = pause(every, failures, lambda: chance)
    assert every * 0.9 <= found <= max(every, LONGEST) * 1.1


def test_pauses_double_and_spread() -> None:
    assert [pause(60, n, lambda: 0.5) for n in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert len({pause(60, 3) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://a.test/feeds/all_hour.geojson?x=1", "all_hour.geojson"),
        ("https://a.test/..%2f..%2fetc%2fpasswd", "passwd"),
        ("https://a.test/.hidden", "hidden"),
        ("https://a.test/", "feed"),
    ],
)
def test_files_have_names_without_folders(address: str, name: str) -> None:
    assert file_name(address, "feed") == name


def test_stamps_that_say_nothing_are_none() -> None:
    assert stamp(b'{"metadata":{"generated":99999999999999}}', None) is not None
    assert stamp(b"x", "yesterday") is None
    assert stamp(b"x", None) is None
