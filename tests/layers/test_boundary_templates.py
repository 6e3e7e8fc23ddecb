"""Templates of boundary-point files: the shipped ones, an agency's own, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layers.catalog import read_catalog, read_template
from layers.errors import DefinitionError

OWN = """
format: 1
title: {zh: 本地, en: Local}
header: [点数, 面积]
count: {column: 点数}
area: {column: 面积, unit: mu}
"""


def local(folder: Path, text: str, name: str = "local.yaml") -> Path:
    (folder / "templates").mkdir()
    file = folder / "templates" / name
    file.write_text(text, encoding="utf-8")
    return file


def test_an_agency_adds_its_own_beside_the_shipped_ones(tmp_path: Path) -> None:
    local(tmp_path, OWN)
    found = read_catalog(tmp_path).templates
    assert set(read_catalog().templates) < set(found)
    assert found["local"].area is not None
    assert found["local"].area.unit == "mu"
    assert found["national"].header[0] == "界址点数"


def test_an_agency_may_replace_a_shipped_one(tmp_path: Path) -> None:
    local(tmp_path, OWN, "national.yaml")
    assert read_catalog(tmp_path).templates["national"].header == ("点数", "面积")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("header: [点数, 面积]", "header: [点数, 点数]", "named twice"),
        ("column: 点数", "column: 个数", "'个数' is not among the header columns"),
        ("unit: mu", "unit: acre", "area.unit"),
        ("count:", "number: 1\ncount:", "number: Extra inputs"),
        ("count:", "point: [label, x, y]\ncount:", "ring, x and y"),
        ("count:", 'separators: ["-"]\ncount:', "a separator is one character"),
        ("format: 1", "format: 1\nformat: 1", "stands twice"),
    ],
)
def test_what_does_not_follow_the_format_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        read_template(local(tmp_path, OWN.replace(old, new)))


def test_names_are_plain(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="lower-case words with hyphens"):
        read_template(local(tmp_path, OWN, "Local_1.yaml"))


def test_the_documented_template_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    [example] = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("format: 1")]
    assert read_template(local(tmp_path, example)).optional == ("备注",)
