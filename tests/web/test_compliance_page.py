"""The page of a compliance answer: words, hostile texts, the sketch and its scale."""

from __future__ import annotations

import re
from typing import Any

import lxml.html
import pyproj
import pytest
import shapely

from web.compliance import ORDER, sketch
from web.documents import document_page

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


def size(m2: float) -> dict[str, float]:
    return {"m2": m2, "ha": round(m2 / 10_000, 4), "mu": round(m2 * 15 / 10_000, 2)}


def answer(verdict: str, text: str = "x") -> dict[str, Any]:
    said = {"zh": text, "en": text}
    edition = {"number": 3, "committed": "2026-01-02T03:04:05Z", "source": text}
    row = {"code": text, "label": said, **size(5_000.0)}
    area = shapely.box(105, 38, 105.01, 38.01)
    section = {"role": "land", "layer": text, "title": said, "status": "ok", "edition": edition, "divides": True}
    rule = {"id": "a", "title": said, "verdict": verdict, "text": said, "layers": [], "source": text}
    return {
        "red_line": {"origin": text, "parcels": 1, "area": size(10_000.0), "bbox": list(area.bounds)},
        "verdict": verdict,
        "summary": said,
        "rules": [rule],
        "sections": [{**section, "rows": [row]}, {**section, "role": "control", "status": "no-data", "rows": []}],
        "method": {"area": text},
        "outline": shapely.geometry.mapping(area),
    }


def page(verdict: str, language: str, text: str = "x") -> Any:
    return lxml.html.fromstring(document_page("compliance", answer(verdict, text), language=language, root="").html)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("verdict", ORDER)
def test_each_verdict_has_words_and_a_sign(verdict: str, language: str) -> None:
    told = page(verdict, language)
    (section,) = told.xpath("//section[contains(@class, 'verdict')]")
    assert section.get("class") == f"verdict {verdict}"
    assert section.xpath(".//p[@class='word']/svg/path/@d")
    word = section.xpath("string(.//p[@class='word'])").strip()
    assert (word.isascii()) == (language == "en")
    # What was posted has no address: no link asks for it again.
    assert not told.xpath("//a[contains(@href, 'f=json') or @hreflang]")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_texts_stay_texts(language: str) -> None:
    found = page("conflict", language, HOSTILE)
    assert not found.xpath("//img")
    assert all("alert" not in script.text_content() for script in found.xpath("//script"))
    for place in ("//th/text()", "//caption/text()", "//td/text()", "//dd/text()", "//span[@class='code']/text()"):
        assert any(HOSTILE in text for text in found.xpath(place)), place


@pytest.mark.parametrize("box", [(105, 38, 105.01, 38.01), (10, -70, 10.5, -69.9), (0, 0, 3, 0.01)])
def test_the_scale_bar_is_as_long_as_it_says(box: tuple[float, float, float, float]) -> None:
    made = sketch(shapely.geometry.mapping(shapely.box(*box)), box)
    assert made is not None
    at = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", made.path)]
    across, up = ([point[axis] for point in at] for axis in (0, 1))
    assert 0 <= min(across) < max(across) <= made.wide
    assert 0 <= min(up) < max(up) <= made.high
    number, unit = made.length.split()
    metres = float(number) * {"m": 1, "km": 1000}[unit]
    middle = (box[1] + box[3]) / 2
    wide = GEOD.line_length([box[0], box[2]], [middle, middle])
    high = GEOD.line_length([box[0], box[0]], [box[1], box[3]])
    for drawn, ground in ((max(across) - min(across), wide), (max(up) - min(up), high)):
        if drawn > 20:
            assert made.bar / drawn == pytest.approx(metres / ground, rel=0.02)


def test_holes_and_parts_are_drawn_and_what_has_no_middle_is_not() -> None:
    parts = shapely.MultiPolygon([shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2)), shapely.box(5, 5, 6, 6)])
    made = sketch(shapely.geometry.mapping(parts), parts.bounds)
    assert made is not None
    assert made.path.count("M") == made.path.count("Z") == 3
    assert sketch(None, (0, 0, 1, 1)) is None
    assert sketch(shapely.geometry.mapping(parts), (179, 0, -179, 6)) is None
