"""The front-end assets that the portal serves, and the lock file they come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from layers.errors import ConfigurationError
from tests.web.test_glyphs import decode
from web import assets
from web.assets import MANIFEST, PACKAGES, STACK, build, main

HOME = Path(__file__).parents[2]
VENDOR = HOME / "web" / "static" / "vendor"


def test_lock_file_pins_everything_and_names_no_registry() -> None:
    lock = json.loads((HOME / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert all("integrity" in one and "version" in one for one in packages.values())
    assert not any("resolved" in one for one in packages.values())
    assert "registry." not in (HOME / "package-lock.json").read_text(encoding="utf-8")
    assert "registry=" not in (HOME / ".npmrc").read_text(encoding="utf-8")


def test_package_file_pins_exact_versions() -> None:
    wanted = json.loads((HOME / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(wanted) == {package.name for package in PACKAGES}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def test_manifest_states_what_the_lock_file_pins() -> None:
    manifest = json.loads((VENDOR / MANIFEST).read_text(encoding="utf-8"))
    lock = json.loads((HOME / "package-lock.json").read_text(encoding="utf-8"))
    for one in manifest["packages"]:
        assert one["version"] == lock["packages"][f"node_modules/{one['name']}"]["version"]
        assert one["licence"]
        assert all((VENDOR / file).is_file() for file in one["files"])


def test_scripts_point_at_no_map_that_is_not_served() -> None:
    for script in VENDOR.rglob("*.js"):
        assert "sourceMappingURL" not in script.read_text(encoding="utf-8")


def test_styles_ask_only_for_files_that_are_there() -> None:
    for sheet in VENDOR.rglob("*.css"):
        for address in re.findall(r"url\(['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8")):
            assert address.startswith(("data:", "#")) or (sheet.parent / address).is_file(), address


def test_labels_find_a_glyph_file_for_every_character() -> None:
    ranges = VENDOR / "glyphs" / STACK
    assert all((ranges / f"{first}-{first + 255}.pbf").is_file() for first in range(0, 65536, 256))
    # Latin letters are drawn from the file: it cannot be an empty range.
    assert (ranges / "0-255.pbf").stat().st_size > 10_000


def test_every_ideograph_of_the_national_standard_has_a_glyph() -> None:
    # GB/T 2312 holds 6,763 ideographs; GBK all 20,902 of the first Unicode block.
    listed = [bytes((row, cell)).decode("gb2312", "ignore") for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF)]
    assert len([one for one in listed if one]) == 6763
    have: set[int] = set()
    for first in range(0x4E00, 0xA000, 256):
        body = (VENDOR / "glyphs" / STACK / f"{first}-{first + 255}.pbf").read_bytes()
        have |= {int(one[1]) for one in decode(body)[2] if one.get(2)}
    assert {ord(one) for one in listed if one} <= have
    assert len(have) >= 20_902


def test_a_missing_font_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "IDEOGRAPHS", tmp_path / "none.ttf")
    with pytest.raises(ConfigurationError, match="fonts-droid-fallback"):
        build(HOME / "node_modules", tmp_path / "vendor")


def test_missing_packages_are_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="npm ci"):
        build(tmp_path / "node_modules", tmp_path / "vendor")
    assert main([str(tmp_path / "node_modules")]) == 2
    assert "npm ci" in capsys.readouterr().err
    assert (VENDOR / MANIFEST).is_file()
