"""Key screens look as they did: each is compared with a small picture of it that was looked at by people.

Pictures are made anew with `GEOSERVICE_TEST_LOOKS=write scripts/test tests/browser/test_looks.py -n 0`; look at them
before they are committed. They are an eighth of the screen, so that fonts, dates and the smoothing of lines do not
matter, and a panel that vanished, a layer that is not drawn or a theme that went wrong does. A single button is too
small for that: it belongs to the tests that press it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.browser.conftest import Portal

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEPT = Path(__file__).parent / "looks"
SMALLER = 8
NEAR = 40
"""Of 255: what a cell of the small picture may be off before it counts as another one."""
MOST = 0.08
"""Share of the cells that may be others."""
Picture = NDArray[np.int16]


@dataclass(frozen=True)
class Screen:
    """A screen by its address; `theme` as the button of the bar sets it."""

    name: str
    place: str = ""
    query: str = "lang=zh"
    theme: str = "light"
    phone: bool = False


COUNTY = "#map=11.50/38.60000/105.00000"
SCREENS = (
    Screen("start"),
    Screen("start-dark", query="lang=en", theme="dark"),
    Screen("start-phone", phone=True),
    Screen("hazards", f"{COUNTY}&panel=hazards"),
    Screen("check", f"{COUNTY}&panel=check", query="lang=en"),
    Screen("tools-phone-dark", f"{COUNTY}&panel=toolbox", theme="dark", phone=True),
)


def small(shot: bytes) -> Picture:
    """A picture of the screen, an eighth as wide and high."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    size = (picture.width // SMALLER, picture.height // SMALLER)
    return np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.int16)


def others(one: Picture, two: Picture) -> float:
    """Share of the cells that differ."""
    if one.shape != two.shape:
        return 1.0
    return float((np.abs(one - two).max(axis=2) > NEAR).mean())


def seen(portal: Portal, screen: Screen) -> Picture:
    """Open a screen and take its small picture."""
    # The empty page from which a window begins has no storage.
    keep = f"localStorage.setItem('geoservice-theme', '{screen.theme}')"
    portal.page.add_init_script(f"if (location.protocol !== 'about:') {keep}")
    portal.open(screen.query, screen.place)
    return small(portal.page.screenshot())


@pytest.mark.parametrize("screen", SCREENS, ids=lambda one: one.name)
def test_a_screen_looks_as_it_did(
    portal: Portal, phone: Portal, screen: Screen, record_property: Callable[[str, object], None]
) -> None:
    now = seen(phone if screen.phone else portal, screen)
    kept = KEPT / f"{screen.name}.png"
    if os.environ.get("GEOSERVICE_TEST_LOOKS") == "write":
        KEPT.mkdir(exist_ok=True)
        Image.fromarray(now.astype(np.uint8)).save(kept, optimize=True)
    share = others(now, np.asarray(Image.open(kept).convert("RGB"), dtype=np.int16))
    record_property("share of other cells", share)
    assert share <= MOST, f"{share:.1%} of {screen.name} look otherwise"


def test_screens_that_differ_are_told_apart() -> None:
    kept = {one.name: np.asarray(Image.open(KEPT / f"{one.name}.png"), dtype=np.int16) for one in SCREENS}
    assert others(kept["start"], kept["start-dark"]) > MOST
    assert others(kept["start"], kept["hazards"]) > MOST
    # A screen whose panel did not come has the map of its neighbour there.
    bare = kept["check"].copy()
    bare[6:48, 8:52] = kept["hazards"][6:48, 80:124]
    assert others(kept["check"], bare) > MOST
