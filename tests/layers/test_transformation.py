"""Files of transformation parameters: what is accepted, what is refused, and that no parameter ever shows."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest

from layers.catalog import read_catalog
from layers.errors import DefinitionError
from layers.transformation import Grid, read_transformation
from tests.support.parameters import CITY, COMMON, TARIM, YELLOW_SEA, registered

GRID = {
    **COMMON,
    "source": "EPSG:4610",
    "target": "EPSG:4490",
    "method": "grid",
    "file": "shift.gsb",
    "sha256": "0" * 64,
    "region": {"polygon": [[110, 30], [112, 30], [111, 32]]},
}


@pytest.mark.parametrize("definition", [YELLOW_SEA, TARIM, CITY, GRID])
def test_good_sets_are_read(tmp_path: Path, definition: dict[str, Any]) -> None:
    found = registered(tmp_path, "good-one", definition)
    assert (found.name, found.owner, found.residual.points) == ("good-one", "Test survey", 12)
    assert not found.backwards


def test_the_catalogue_has_them(tmp_path: Path) -> None:
    registered(tmp_path, "tarim", TARIM)
    assert dict(read_catalog(tmp_path).transformations)["tarim"].source == "EPSG:4214"
    assert not read_catalog().transformations


def without(definition: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in definition.items() if k != key}


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (without(TARIM, "convention"), "convention"),
        (without(TARIM, "owner"), "owner"),
        (without(TARIM, "residual"), "residual"),
        (without(TARIM, "region"), "region"),
        ({**TARIM, "units": {"rotation": "degree", "scale": "ppm"}}, "rotation"),
        ({**TARIM, "method": "guess"}, "method"),
        ({**TARIM, "colour": "red"}, "colour"),
        ({**TARIM, "region": {"bbox": [88, 37, 77, 42]}}, "bbox"),
        ({**TARIM, "region": {"bbox": [77, 37, 88, 42], "polygon": [[1, 1], [2, 2], [3, 1]]}}, "either a bbox"),
        ({**TARIM, "target": "EPSG:4610"}, "one of source and target"),
        ({**TARIM, "source": "EPSG:4326"}, "one of source and target"),
        ({**TARIM, "source": "EPSG:4490", "target": "EPSG:4214"}, "inverse: true"),
        ({**TARIM, "source": "EPSG:2401"}, "geographic systems"),
        ({**TARIM, "source": "local"}, "geographic systems"),
        ({**TARIM, "source": "EPSG:99999"}, "Unknown coordinate reference system"),
        ({**CITY, "source": "EPSG:4214"}, "projected systems"),
        ({**GRID, "file": "../shift.gsb"}, "file"),
        ({**GRID, "sha256": "abc"}, "sha256"),
        ({**TARIM, "secrecy": "cosmic"}, "clearance must be one of"),
        ({**TARIM, "parameters": {**TARIM["parameters"], "dx": float("nan")}}, "dx"),
    ],
)
def test_bad_sets_are_refused_by_place(tmp_path: Path, definition: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        registered(tmp_path, "bad", definition)


def test_a_set_that_leads_away_may_be_used_backwards(tmp_path: Path) -> None:
    found = registered(tmp_path, "away", {**TARIM, "source": "EPSG:4490", "target": "EPSG:4214", "inverse": True})
    assert found.backwards


@pytest.mark.parametrize(
    "text",
    [
        "parameters: {dx: 123.456\nbroken",
        "format: 1\nparameters: {dx: 123.456, dx: 123.456}",
        "format: 1\nsource: EPSG:4214\ntarget: EPSG:4490\nmethod: bursa-wolf-7\nparameters: {dx: 123.456x}",
    ],
)
def test_errors_never_quote_parameters(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.yaml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        read_transformation(tmp_path / "secret.yaml")
    seen = f"{caught.value!r} {caught.value.facts} {caught.value.__cause__!r}"
    assert "123.456" not in seen


def test_representations_never_show_parameters(tmp_path: Path) -> None:
    for definition in (TARIM, CITY):
        found = registered(tmp_path, "one", definition)
        for value in definition["parameters"].values():
            assert value == 0 or str(value) not in f"{found!r} {found}"


def test_digests_tell_sets_apart(tmp_path: Path) -> None:
    one, same = registered(tmp_path, "one", TARIM).digest(), registered(tmp_path, "one", TARIM).digest()
    moved = registered(tmp_path, "one", {**TARIM, "parameters": {**TARIM["parameters"], "dx": 15.8001}}).digest()
    assert one == same != moved


def test_days_in_force(tmp_path: Path) -> None:
    found = registered(tmp_path, "one", {**TARIM, "valid": {"from": dt.date(2020, 1, 1), "to": dt.date(2020, 12, 31)}})
    days = [dt.date(2019, 12, 31), dt.date(2020, 1, 1), dt.date(2020, 12, 31), dt.date(2021, 1, 1)]
    assert [found.on(day) for day in days] == [False, True, True, False]
    assert registered(tmp_path, "two", TARIM).on(dt.date(1900, 1, 1))


def test_grids_are_compared_with_their_digest(tmp_path: Path) -> None:
    file = tmp_path / "transformations" / "shift.gsb"
    found = registered(tmp_path, "one", {**GRID, "sha256": hashlib.sha256(b"grid").hexdigest()})
    assert isinstance(found, Grid)
    assert found.path == file
    with pytest.raises(DefinitionError, match="cannot be read"):
        found.verify(file)
    file.write_bytes(b"grid")
    found.verify(file)
    file.write_bytes(b"Grid")
    with pytest.raises(DefinitionError, match="not the registered file"):
        found.verify(file)
