"""What stands on a printed map: papers, letters, scale bars, legends that do not fit, words that stay words."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from markupsafe import escape

from layers.maplibre import LegendClass
from layers.model import Text
from web.sheet.compose import compose, numeric, scale_bar
from web.sheet.layout import ORIENTATIONS, POINT, SIZES, layout
from web.sheet.letters import clipped, plain, text_width, wrapped
from web.sheet.marks import Disc, Patch, Stroke, Words
from web.sheet.page import sheet_page
from web.sheet.view import Group, SheetView

PIXEL = b"\x89PNG"


def view(**changes: Any) -> SheetView:
    usual = SheetView(("en",), "A title", "", "", 50_000, 0.0, (), ("A fact.",))
    return dataclasses.replace(usual, **changes)


def group(classes: int) -> Group:
    shown = (LegendClass(Text(zh=f"类{n}", en=f"Class {n}"), "fill", "#aabbcc", str(n)) for n in range(classes))
    return Group(Text(zh="图层", en="Layer"), tuple(shown))


def said(one: SheetView, paper: str = "A4", orientation: str = "landscape") -> list[str]:
    return [mark.text for mark in compose(one, layout(paper, orientation)) if isinstance(mark, Words)]


@pytest.mark.parametrize("paper", SIZES)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_nothing_stands_outside_of_the_paper(paper: str, orientation: str) -> None:
    place = layout(paper, orientation)
    long = "A rather long remark that goes on and on. " * 12
    full = view(title="字" * 160, subtitle="w" * 160, remark=long, legend=(group(300),), fictional=True, exercise=True)
    for mark in compose(full, place):
        if isinstance(mark, Words):
            wide = 0.0 if mark.turn else text_width(mark.text, mark.size)
            left = mark.at[0] - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.anchor]
            points = [(left, mark.at[1] - mark.size / 2), (left + wide, mark.at[1] + mark.size / 2)]
        else:
            points = [mark.at] if isinstance(mark, Disc) else list(getattr(mark, "points", ()) or mark.corners)  # type: ignore[union-attr]
        assert all(-0.1 <= x <= place.width + 0.1 and -0.1 <= y <= place.height + 0.1 for x, y in points), mark


@pytest.mark.parametrize("paper", SIZES)
def test_the_map_has_most_of_the_paper_and_whole_points(paper: str) -> None:
    for orientation in ORIENTATIONS:
        place = layout(paper, orientation)
        frame = place.frame
        assert frame.width * frame.height > place.width * place.height * 0.45
        for side in (frame.x, frame.y, frame.width, frame.height):
            assert side / POINT == pytest.approx(round(side / POINT), abs=1e-9)
        assert not (frame.right > place.legend.x and orientation == "landscape")


@pytest.mark.parametrize(
    ("scale", "room", "metres"), [(50_000, 40, 2000), (50_000, 39, 1000), (1000, 45, 40), (20_000_000, 45, 800_000)]
)
def test_scale_bars_are_the_longest_round_ones_that_fit(scale: int, room: float, metres: float) -> None:
    assert scale_bar(scale, room) == metres
    assert metres / scale * 1000 <= room + 1e-9


def test_the_bar_is_as_long_as_its_length_says() -> None:
    # The outline of the bar is the widest stroke whose corners lie on one height below the numeric scale.
    marks = compose(view(scale=25_000), layout("A4", "landscape"))
    texts = [mark for mark in marks if isinstance(mark, Words)]
    last = next(mark for mark in texts if re.fullmatch(r"[\d.]+ k?m", mark.text))
    first = next(mark for mark in texts if mark.text == "0")
    value, unit = last.text.split()
    metres = float(value) * (1000 if unit == "km" else 1)
    assert (last.at[0] - first.at[0]) * 25_000 / 1000 == pytest.approx(metres)
    assert any(isinstance(mark, Patch) and mark.corners[0][0] == first.at[0] for mark in marks)


def test_a_legend_counts_what_has_no_room() -> None:
    told = said(view(legend=(group(300),)))
    shown = sum(1 for text in told if text.startswith("Class "))
    assert f"… and {300 - shown} more" in told
    assert shown > 15
    few = said(view(legend=(group(3),)))
    assert not any(text.startswith("…") for text in few)
    assert "Legend" not in said(view(legend=None))


def test_marks_of_what_is_not_real() -> None:
    assert "Fictional data" in said(view(fictional=True))
    assert "Fictional data" not in said(view())
    exercise = compose(view(exercise=True, languages=("zh", "en")), layout("A4", "portrait"))
    assert "演练 EXERCISE" in [mark.text for mark in exercise if isinstance(mark, Words)]
    assert any(isinstance(mark, Stroke) and mark.dash for mark in exercise)


def test_letters() -> None:
    assert wrapped("one two three", 1.0, text_width("one two", 1.0)) == ["one two", "three"]
    assert wrapped("一二三四五", 1.0, 2.0) == ["一二", "三四", "五"]
    assert "".join(wrapped("x" * 50, 1.0, 5.0)) == "x" * 50
    assert len(wrapped("word " * 50, 1.0, 10.0, 3)) == 3
    assert clipped("一二三四五", 1.0, 3.0) == "一二…"
    assert plain("a\u202eb\x00c\u200d") == "a b c"
    assert numeric(250_000) == "1 : 250\u00a0000"


@pytest.mark.parametrize(
    "hostile", ["</style><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 1 + 1 }}"]
)
def test_words_on_the_page_stay_words(hostile: str) -> None:
    one = view(title=hostile, subtitle=hostile, remark=hostile, facts=(hostile,), legend=(group(1),))
    place = layout("A3", "landscape")
    page = sheet_page(one, place, compose(one, place), PIXEL)
    assert str(escape(hostile)) in page
    assert "<script" not in page
    assert "<img src=x" not in page
    # Its one picture comes with the page: there is nothing to be fetched.
    assert re.findall(r'(?:src|href)="([^"]{5})', page) == ["data:"]
