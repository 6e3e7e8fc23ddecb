"""Images of map styles, compared with the areas that they are meant to cover."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from layers.errors import UnknownResource
from tiles.sprite import HATCH_SIDE, image, sheet


def decoded(picture: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(picture) as file, file.open() as found:
            return found.read()


def covered(shape: shapely.Geometry, side: int, ratio: int) -> np.ndarray:
    """Share of each pixel that a shape (in points) covers, by exact intersection."""
    step = 1 / ratio
    x, y = np.meshgrid(np.arange(side * ratio) * step, np.arange(side * ratio) * step)
    return shapely.area(shapely.intersection(shapely.box(x, y, x + step, y + step), shape)) / step**2


def strokes() -> shapely.Geometry:
    """Slanted strokes 1.6 points wide through the corners, as the portal draws them."""
    lines = [shapely.LineString([(at - 20, 20), (at + 20, -20)]) for at in (0, HATCH_SIDE, 2 * HATCH_SIDE)]
    return shapely.union_all(shapely.buffer(lines, 0.8, cap_style="flat"))


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_hatch_covers_what_its_strokes_cover(ratio: int) -> None:
    pixels = image("hatch:#aa3366", ratio)
    assert pixels.shape == (4, 8 * ratio, 8 * ratio)
    assert (pixels[:3] == np.array([0xAA, 0x33, 0x66])[:, None, None]).all()
    assert np.abs(pixels[3] / 255 - covered(strokes(), 8, ratio)).max() < 0.05


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_disc_is_round_with_a_ring(ratio: int) -> None:
    pixels = image("disc:#ffffff:#0000ff", ratio)
    centre = shapely.Point(5, 5)
    assert np.abs(pixels[3] / 255 - covered(centre.buffer(4.5, 64), 10, ratio)).max() < 0.05
    assert pixels[:, 5 * ratio, 5 * ratio].tolist() == [0, 0, 255, 255]
    # Four points from the centre lies the middle of the ring.
    assert pixels[0, 5 * ratio, round(0.5 * ratio + 0.5 * ratio)] > 128


def test_patterns_join_without_a_seam() -> None:
    twice = np.tile(image("hatch:#000000", 2)[3].astype(int), (2, 2))
    # Along the strokes nothing changes, across the seam neither.
    assert np.abs(twice[1:, :-1] - twice[:-1, 1:]).max() <= 1


def test_a_sheet_holds_every_image_where_its_index_says() -> None:
    names = [f"hatch:#0000{n:02x}" for n in range(7)] + ["disc:#ffffff:#123456"]
    made = sheet(names, 2)
    board = decoded(made.picture)
    assert set(made.index) == set(names)
    for name, at in made.index.items():
        assert at["pixelRatio"] == 2
        part = board[:, at["y"] : at["y"] + at["height"], at["x"] : at["x"] + at["width"]]
        own = image(name, 2)
        assert (part[3] == own[3]).all()
        assert (part[:3, own[3] > 0] == own[:3, own[3] > 0]).all()


def test_a_sheet_without_images_is_a_picture() -> None:
    made = sheet([])
    assert made.index == {}
    assert made.picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["", "hatch:red", "disc:#ffffff", "hatch:#0000001", "/etc/passwd", "hatch:#00000g"])
def test_an_unknown_image_is_refused(name: str) -> None:
    with pytest.raises(UnknownResource):
        image(name)
