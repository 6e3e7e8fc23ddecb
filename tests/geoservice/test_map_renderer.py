"""The confined renderer: it draws, it sees nothing else, and the service outlives it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from geoservice.db.doctor import Level, check_renderer
from geoservice.maps import renderer as module
from geoservice.maps import trial
from geoservice.maps.encode import decoded, encoded_map
from geoservice.maps.legend import LegendSheet, draw_legend, job_of
from geoservice.maps.paper import Paper, lonlat, text_width
from geoservice.maps.renderer import Job, Renderer
from geoservice.settings import Settings
from layers.errors import MapUnavailable
from layers.maplibre import LegendClass
from layers.model import Text
from tiles.plane import LEVEL, Plane, map_crs
from tiles.sprite import image, png, sheet

SIZE = (200, 120)
RASTER = {"a": {"type": "raster", "tileSize": 512, "tiles": ["job://files/a/{x}/{y}"], "minzoom": 10, "maxzoom": 10}}
CAMERA = (*Plane(map_crs("CRS:84"), (0, 0, 1, 1), *SIZE).camera, LEVEL)


@pytest.fixture
async def drawing() -> AsyncIterator[Renderer]:
    one = Renderer(1, 30.0)
    yield one
    await one.close()


def job(layers: list[dict[str, Any]], sources: dict[str, Any] | None = None, **files: bytes) -> Job:
    style = {"version": 8, "glyphs": "job://glyphs/{fontstack}/{range}", "sources": sources or {}, "layers": layers}
    return Job(style, files, CAMERA, SIZE)


def plain(colour: str) -> Job:
    return job([{"id": "a", "type": "background", "paint": {"background-color": colour}}])


def child_of(drawing: Renderer) -> Any:
    (one,) = drawing._idle
    return one.child


async def test_marks_stand_on_their_pixels(drawing: Renderer) -> None:
    paper = Paper()
    paper.box((20, 30), (50, 40), {"fill-color": "#ff0000", "fill-antialias": False})
    pixels = decoded(await drawing.draw(job_of(paper, SIZE, None)))
    expected = np.zeros((120, 200), dtype=bool)
    expected[30:70, 20:70] = True
    assert pixels.shape == (4, 120, 200)
    assert ((pixels[3] > 0) == expected).all()
    assert (pixels[:3, expected] == np.array([255, 0, 0])[:, None]).all()


async def test_chinese_words_are_drawn_and_differ(drawing: Renderer) -> None:
    pictures = []
    for words in ("湖北省", "湖南省", "", "Hubei"):
        paper = Paper()
        paper.text((10, 60), words, 24)
        pixels = decoded(await drawing.draw(job_of(paper, SIZE, "#ffffff")))
        pictures.append(pixels[:3].min(axis=0) < 128)
    ink = [int(one.sum()) for one in pictures]
    assert ink[0] > 300
    assert ink[1] > 300
    assert ink[2] == 0
    assert ink[3] > 100
    assert (pictures[0] != pictures[1]).sum() > 60
    # Three square characters of 24 points.
    columns = np.flatnonzero(pictures[0].any(axis=0))
    assert columns.max() - columns.min() == pytest.approx(text_width("湖北省", 24), abs=6)


async def test_a_child_is_shut_in(drawing: Renderer) -> None:
    await drawing.draw(plain("#112233"))
    achieved = child_of(drawing).achieved
    assert "namespace" in achieved["network"]
    assert achieved["filesystem"].startswith("landlock")
    assert "no capabilities" in achieved["privileges"]


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "http://127.0.0.1:1/x", "job://1/{x}/{y}", "job://glyphs/../x", "mbtiles:///etc/x"],
)
async def test_a_style_reaches_nothing_outside_its_job(drawing: Renderer, address: str) -> None:
    """An earlier job leaves a tile behind; a later style that names it, or files of the machine, gets nothing."""
    tile = png(np.full((4, 512, 512), 255, dtype=np.uint8))
    layer = [{"id": "a", "type": "raster", "source": "a", "paint": {"raster-fade-duration": 0}}]
    first = await drawing.draw(job(layer, RASTER, **{"a/512/512": tile}))
    assert decoded(first)[3].max() == 255
    stolen = {"a": {**RASTER["a"], "tiles": [address]}}
    try:
        second = await drawing.draw(job(layer, stolen))
    except MapUnavailable:
        return
    assert decoded(second)[3].max() == 0


async def test_a_map_that_cannot_be_drawn_is_refused_and_the_child_lives_on(drawing: Renderer) -> None:
    layer = [{"id": "a", "type": "raster", "source": "a"}]
    with pytest.raises(MapUnavailable, match="could not be drawn"):
        await drawing.draw(job(layer, RASTER, **{"a/512/512": b"no picture"}))
    child = child_of(drawing)
    assert await drawing.draw(plain("#445566"))
    assert child_of(drawing) is child


async def test_each_map_shows_its_own_style(drawing: Renderer) -> None:
    """The drawing library keeps styles by name; maps must not show what an earlier reader was shown."""
    for colour, red in (("#110000", 17), ("#220000", 34), ("#110000", 17)):
        assert set(decoded(await drawing.draw(plain(colour)))[0].ravel()) == {red}


async def test_the_service_outlives_a_child_that_was_killed(drawing: Renderer) -> None:
    before = await drawing.draw(plain("#445566"))
    killed = child_of(drawing)
    os.kill(killed.process.pid, signal.SIGKILL)
    assert await drawing.draw(plain("#445566")) == before
    assert child_of(drawing) is not killed
    assert not killed.folder.exists()


async def test_a_child_that_stands_still_is_ended_in_time() -> None:
    one = Renderer(1, 30.0)
    await one.draw(plain("#445566"))
    stopped = child_of(one)
    os.kill(stopped.process.pid, signal.SIGSTOP)
    one.seconds = 0.5
    with pytest.raises(MapUnavailable, match=r"0\.5 s"):
        await one.draw(plain("#445566"))
    assert stopped.process.returncode is not None
    one.seconds = 30.0
    assert await one.draw(plain("#445566"))
    await one.close()


async def test_a_map_beyond_all_memory_ends_the_child_alone(drawing: Renderer) -> None:
    huge = Job(plain("#445566").style, {}, CAMERA, (1_000_000, 1_000_000))
    await drawing.draw(plain("#445566"))
    drawing.seconds = 3.0
    with pytest.raises(MapUnavailable):
        await drawing.draw(huge)
    drawing.seconds = 30.0
    assert await drawing.draw(plain("#445566"))


async def test_children_are_replaced_after_a_while(drawing: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIFE", 2)
    await drawing.draw(plain("#000000"))
    first = child_of(drawing)
    await drawing.draw(plain("#000000"))
    assert drawing._idle == []
    assert first.process.returncode is not None


async def test_closing_ends_the_children(drawing: Renderer) -> None:
    await drawing.draw(plain("#000000"))
    child = child_of(drawing)
    await drawing.close()
    assert child.process.returncode is not None
    assert not child.folder.exists()


async def test_hatches_look_as_their_image(drawing: Renderer) -> None:
    made = sheet(["hatch:#aa0000"])
    layers = [{"id": "a", "type": "background", "paint": {"background-pattern": "hatch:#aa0000"}}]
    style = {"version": 8, "sources": {}, "layers": layers, "sprite": "job://files/sprite"}
    files = {"sprite.json": made.index_text, "sprite.png": made.picture}
    pixels = decoded(await drawing.draw(Job(style, files, CAMERA, SIZE)))
    drawn, own = pixels[3, 16:112, 16:192].astype(float), image("hatch:#aa0000")[3].astype(float)
    assert drawn.mean() == pytest.approx(own.mean(), rel=0.05)


async def test_a_legend_shows_the_colours_of_its_classes(drawing: Renderer) -> None:
    classes = [
        LegendClass(Text(zh=f"类别{n}", en=f"Class {n}"), shape, colour, hatch=n == 3, outline=None, width=4)
        for n, (shape, colour) in enumerate(
            [("fill", "#ff0000"), ("line", "#00ff00"), ("circle", "#0000ff"), ("fill", "#ff00ff")]
        )
    ]
    picture = decoded(await draw_legend(drawing, LegendSheet("图例", classes)))
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255)]):
        # A pattern is drawn half over a pixel here and there.
        near = np.abs(picture[:3].astype(int) - np.array(colour)[:, None, None]).max(axis=0) < 40
        rows, columns = np.nonzero(near)
        assert rows.size > 20, number
        assert columns.max() < 40


async def test_long_legends_say_what_they_leave_out(drawing: Renderer) -> None:
    many = [LegendClass(Text(zh=str(n), en=str(n)), "fill", "#ff0000") for n in range(300)]
    picture = decoded(await draw_legend(drawing, LegendSheet("", many, "en")))
    assert picture.shape[1] < 3000


def test_places_of_paper_are_those_of_the_plane() -> None:
    plane = Plane(map_crs("CRS:84"), (0, 0, 1, 1), 300, 200)
    assert lonlat((150, 100)) == pytest.approx(plane.camera)


@pytest.mark.parametrize(
    ("media", "start"), [("image/jpeg", b"\xff\xd8"), ("image/webp", b"RIFF"), ("image/png", b"\x89PNG")]
)
def test_maps_come_in_three_formats(media: str, start: bytes) -> None:
    pixels = np.zeros((4, 8, 8), dtype=np.uint8)
    pixels[:, :4] = np.array([200, 0, 0, 255])[:, None, None]
    assert encoded_map(png(pixels), media, "#00ff00").startswith(start)


def test_the_doctor_tells_how_the_renderer_is_shut_in(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = check_renderer(Settings())
    assert found.level == Level.OK
    assert "landlock" in found.message
    monkeypatch.setattr(trial, "CHILD", replace(trial.CHILD, module="geoservice.maps.nowhere"))
    (broken,) = check_renderer(Settings())
    assert broken.level == Level.PROBLEM
    assert "libegl1" in broken.remedy
