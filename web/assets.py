"""Bring the front-end assets of the lock file to `web/static/vendor`: `python -m web.assets`.

`npm ci` fetches the packages; this module copies exactly the files that the portal serves, with their licences and
versions, and makes the label glyphs. It runs at install and when a wheel is built. Nothing else needs a network.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.errors import ConfigurationError
from web.glyphs import Glyph, ascent, font_glyphs, write_ranges

STACK = "Noto Sans Regular"
FONT_PACKAGE = "@fontsource/noto-sans"
SUBSETS = ("vietnamese", "greek-ext", "greek", "cyrillic-ext", "cyrillic", "latin-ext", "latin")
"""Later subsets win where two hold the same character."""
IDEOGRAPHS = Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf")
"""Font of the ideographs (Debian: fonts-droid-fallback, Apache License 2.0)."""
IDEOGRAPHIC = (range(0x2E80, 0xA4D0), range(0xF900, 0xFB00), range(0xFE30, 0xFE50), range(0xFF00, 0xFFF0))
"""Ideographs and the marks that stand between them (full-width forms and such): all of them from one font."""
MANIFEST = "assets.json"


@dataclass(frozen=True, slots=True)
class Package:
    """A package, the files of it that are served (source -> place below `vendor`), and its licence file."""

    name: str
    files: Mapping[str, str]
    licence: str | None


PACKAGES = (
    Package(
        "leaflet",
        {f"dist/{name}": f"leaflet/{name}" for name in ("leaflet.js", "leaflet.css")}
        | {
            f"dist/images/{name}.png": f"leaflet/images/{name}.png"
            for name in ("marker-icon", "marker-icon-2x", "marker-shadow", "layers", "layers-2x")
        },
        "LICENSE",
    ),
    Package(
        "maplibre-gl",
        {
            f"dist/{name}": f"maplibre-gl/{name}"
            for name in ("maplibre-gl-csp.js", "maplibre-gl-csp-worker.js", "maplibre-gl.css")
        },
        "LICENSE.txt",
    ),
    Package(
        "@maplibre/maplibre-gl-leaflet",
        {"leaflet-maplibre-gl.js": "maplibre-gl-leaflet/leaflet-maplibre-gl.js"},
        "LICENSE",
    ),
    Package(FONT_PACKAGE, {}, "LICENSE"),
    Package("world-atlas", {"countries-50m.json": "data/countries-50m.json"}, "LICENSE"),
    Package("vega-datasets", {"data/earthquakes.json": "data/earthquakes.json"}, None),
)


def build(modules: Path, vendor: Path) -> Path:
    """Copy the assets and make the glyphs; what stood in the folder before is replaced as a whole.

    Args:
        modules: The `node_modules` folder that `npm ci` filled.
        vendor: Where the assets go.

    Returns:
        The manifest with package versions, licences and files.

    Raises:
        ConfigurationError: When a package or file is missing.
    """
    staged = vendor.with_name(vendor.name + ".new")
    shutil.rmtree(staged, ignore_errors=True)
    entries = [_copy(package, modules, staged) for package in PACKAGES]
    characters = _glyphs(modules / FONT_PACKAGE, staged / "glyphs")
    manifest = {"packages": entries, "glyphs": {"stack": STACK, "characters": characters}}
    (staged / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(vendor, ignore_errors=True)
    staged.rename(vendor)
    return vendor / MANIFEST


def _copy(package: Package, modules: Path, target: Path) -> dict[str, object]:
    home = modules / package.name
    about = _described(home)
    for source, place in package.files.items():
        _copy_file(home / source, target / place)
    flat = package.name.removeprefix("@").replace("/", "-")
    if package.licence is not None:
        _copy_file(home / package.licence, target / "licences" / f"{flat}.txt")
    return {
        "name": package.name,
        "version": about["version"],
        "licence": about.get("license", "see licence file"),
        "files": sorted(package.files.values()),
    }


def _described(home: Path) -> dict[str, str]:
    try:
        described: dict[str, str] = json.loads((home / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"The package {home.name} is not in {home.parent}; run `npm ci` in the product's folder first."
        ) from None
    return described


def _copy_file(source: Path, target: Path) -> None:
    if not source.is_file():
        raise ConfigurationError(f"The file {source} is missing; run `npm ci` in the product's folder again.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # The development maps that scripts point at are not served; the pointer would be a request for nothing.
    if source.suffix == ".js":
        text = source.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
        target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def _glyphs(font: Path, target: Path) -> int:
    if not IDEOGRAPHS.is_file():
        raise ConfigurationError(f"The font {IDEOGRAPHS} is missing; install the package fonts-droid-fallback.")
    files = [font / "files" / f"noto-sans-{subset}-400-normal.woff" for subset in SUBSETS]
    glyphs: dict[int, Glyph] = {}
    for file in files:
        glyphs |= font_glyphs(file)
    glyphs = {code: glyph for code, glyph in glyphs.items() if not _ideographic(code)}
    return write_ranges(target, STACK, glyphs | font_glyphs(IDEOGRAPHS, ascent(files[-1]), _ideographic))


def _ideographic(code: int) -> bool:
    return any(code in block for block in IDEOGRAPHIC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the assets from `node_modules` beside the packages, or from the folder given; 2 when it cannot."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    here = Path(__file__).resolve().parent
    modules = Path(given[0]) if given else here.parent / "node_modules"
    try:
        manifest = build(modules, here / "static" / "vendor")
    except ConfigurationError as error:
        print(error.detail, file=sys.stderr)
        return 2
    print(f"front-end assets ready: {manifest.parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
