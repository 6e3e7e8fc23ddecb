"""The page of an offline package: a folder that a browser opens without a server and without a network.

From a folder browsers fetch nothing and run no modules. So scripts are classic ones, and whatever they would fetch
(tiles, glyphs, the worker of the map) is packed into script files, in chunks that are loaded when they are wanted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from layers.codelist import CodeList
from layers.maplibre import LegendClass, legend
from layers.model import RasterLayer, Text, VectorLayer, codelists_of
from layers.stylesheet import Drawn, stylesheet
from web.config import row_entry, words
from web.documents import environment
from web.texts import PACKAGE_TEXTS

Json = dict[str, Any]
CHUNK = 768 << 10
"""Bytes of a chunk; as a script it is a third larger."""
LANGUAGES = ("zh", "en")
POLICY = (
    "default-src 'none'; script-src 'self' file: blob:; worker-src blob:; style-src 'self' file: 'unsafe-inline'; "
    "img-src 'self' file: data: blob:; connect-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""No other host is ever asked; a folder has no origin, so its files are named by their scheme."""
_FONT = "Noto Sans Regular"
_NEARLY_EMPTY = 64
_LOCAL = 0x2E80
"""From here on (ideographs) labels are drawn with the fonts of the reader."""
_COPIED = {
    "maplibre-gl.js": "vendor/maplibre-gl/maplibre-gl-csp.js",
    "maplibre-gl.css": "vendor/maplibre-gl/maplibre-gl.css",
    "glyphs.js": "portal/glyphs.js",
    "pack.js": "package/pack.js",
    "view.js": "package/view.js",
    "view.css": "package/view.css",
}
_WORKER = "vendor/maplibre-gl/maplibre-gl-csp-worker.js"


@dataclass(frozen=True)
class Packed:
    """One layer of a package.

    Attributes:
        layer: The layer, as its reader may see it.
        attributes: Attributes that its readers may see.
        archive: Name of the archive with its tiles.
        zooms: Lowest and highest zoom level of its tiles.
        edition: Number of its edition.
        committed: Instant of the edition, ISO 8601.
    """

    layer: VectorLayer | RasterLayer
    attributes: tuple[str, ...]
    archive: str
    zooms: tuple[int, int]
    edition: int | None
    committed: str | None


@dataclass(frozen=True)
class Overlay:
    """Features that lie on top of all layers and come with the page itself.

    Attributes:
        id: Its name, which no layer has.
        title: What it is called.
        features: As GeoJSON in longitude and latitude; properties are plain values.
        paint: How they are drawn: layers of a MapLibre style without id and source.
        legend: Their classes.
        attributes: Titles of the properties that a reader is shown, by name.
    """

    id: str
    title: Text
    features: tuple[Json, ...]
    paint: tuple[Json, ...]
    legend: tuple[LegendClass, ...]
    attributes: Mapping[str, Text]


@dataclass(frozen=True)
class PackageView:
    """What the page shows.

    Attributes:
        title: Of the package.
        clearance: For whose eyes it is, in lower case.
        bounds: West, south, east, north in degrees.
        layers: What can be seen.
        archives: Files of tiles by name.
        files: Further files of the folder that the page names: path and kind (a text key).
        codelists: Code lists by id.
        overlays: What lies on top of the layers, the topmost first.
        banner: What must not be overlooked, such as that it is an exercise.
        page: Name of the page.
        start: What the map shows at first, where that is less than all of it.
    """

    title: Text
    clearance: str
    bounds: tuple[float, float, float, float]
    layers: tuple[Packed, ...]
    archives: Mapping[str, Path]
    files: tuple[tuple[str, str], ...]
    codelists: Mapping[str, CodeList]
    overlays: tuple[Overlay, ...] = ()
    banner: Text | None = None
    page: str = "index.html"
    start: tuple[float, float, float, float] | None = None


def write_page(folder: Path, view: PackageView) -> None:
    """Write the page, its scripts and the packed files into a folder."""
    static = Path(str(resources.files("web"))) / "static"
    data = folder / "page" / "data"
    data.mkdir(parents=True, exist_ok=True)
    for name, source in _COPIED.items():
        (folder / "page" / name).write_bytes((static / source).read_bytes())
    packed = {**_glyphs(static), "worker": static / _WORKER, **view.archives}
    registered = [_pack(data, name, file) for name, file in packed.items()]
    config = f"window.PACKAGE = {json.dumps(_config(view), ensure_ascii=False)};\n"
    (folder / "page" / "config.js").write_text("".join(registered) + config, encoding="utf-8")
    page = environment().get_template("package.html").render(policy=POLICY, title=view.title.zh)
    (folder / view.page).write_text(page, encoding="utf-8")


def _glyphs(static: Path) -> dict[str, Path]:
    """Label glyphs that the packaged font has, by the name under which they are packed."""
    files = sorted((static / "vendor" / "glyphs" / _FONT).glob("*.pbf"))
    kept = [f for f in files if f.stat().st_size >= _NEARLY_EMPTY and int(f.stem.partition("-")[0]) < _LOCAL]
    return {f"glyphs-{file.stem}": file for file in kept}


def _pack(data: Path, name: str, file: Path) -> str:
    """Cut a file into chunks; the line of script that says how."""
    size = 0
    with file.open("rb") as handle:
        for number, chunk in enumerate(iter(lambda: handle.read(CHUNK), b"")):
            text = base64.b64encode(chunk).decode()
            (data / f"{name}-{number}.js").write_text(f'pack.chunk("{name}", {number}, "{text}");\n', encoding="ascii")
            size += len(chunk)
    return f'pack.file("{name}", {size}, {CHUNK});\n'


def _config(view: PackageView) -> Json:
    lists = {one for packed in view.layers for one in codelists_of(packed.layer)}
    return {
        "title": words(view.title),
        "clearance": view.clearance,
        "start": list(view.start or view.bounds),
        "banner": words(view.banner) if view.banner else None,
        "layers": [*map(_overlay, view.overlays), *(_layer(packed, view) for packed in view.layers)],
        "own": _own(view.overlays),
        "images": sorted({packed.archive for packed in view.layers if isinstance(packed.layer, RasterLayer)}),
        "codes": {name: dict(_codes(view.codelists[name])) for name in sorted(lists) if name in view.codelists},
        "files": [{"path": path, "kind": kind} for path, kind in view.files],
        "texts": PACKAGE_TEXTS,
        "styles": {language: _style(view, language) for language in LANGUAGES},
    }


def _codes(found: CodeList) -> Iterator[tuple[str, Json]]:
    for code, entry in found.codes.items():
        yield code, {"zh": entry.zh, "en": entry.en}


def _layer(packed: Packed, view: PackageView) -> Json:
    layer = packed.layer
    rows = row_entry(layer, packed.attributes)["attributes"] if isinstance(layer, VectorLayer) else []
    return {
        "id": layer.name,
        "title": words(layer.title),
        "visible": layer.portal.visible or len(view.layers) == 1,
        "legend": [item.as_dict() for item in legend(layer, view.codelists)],
        "attributes": rows,
        "edition": packed.edition,
        "committed": packed.committed,
        "attribution": layer.licence.attribution,
    }


def _overlay(one: Overlay) -> Json:
    """An overlay as the page lists it: always seen at first, and of no edition."""
    return {
        "id": one.id,
        "title": words(one.title),
        "visible": True,
        "own": True,
        "legend": [item.as_dict() for item in one.legend],
        "attributes": [{"name": name, "title": words(title)} for name, title in one.attributes.items()],
    }


def _own(overlays: tuple[Overlay, ...]) -> Json:
    """Sources and layers of all overlays, from the lowest up."""
    sources = {
        f"own-{one.id}": {"type": "geojson", "data": {"type": "FeatureCollection", "features": list(one.features)}}
        for one in overlays
    }
    parts = [
        {**paint, "id": f"own-{one.id}-{number}", "source": f"own-{one.id}", "metadata": {"layer": one.id}}
        for one in reversed(overlays)
        for number, paint in enumerate(one.paint)
    ]
    return {"sources": sources, "layers": parts}


def _style(view: PackageView, language: str) -> Json:
    """One style for all layers. Layers that share an archive and its highest zoom level share a source."""
    drawn = [Drawn(one.layer, f"packed://{one.archive}/{{z}}/{{x}}/{{y}}") for one in view.layers]
    addresses = {"glyphs": "packedglyphs://{fontstack}/{range}"}
    style = stylesheet(drawn, view.codelists, view.title.of(language), addresses, language)
    shared: dict[str, str] = {}
    sources: Json = {}
    for packed in view.layers:
        low, high = packed.zooms
        name = shared[packed.layer.name] = f"{packed.archive}-{high}"
        own = style["sources"][packed.layer.name]
        low = min(low, sources.get(name, own).get("minzoom", low))
        sources[name] = {**own, "minzoom": low, "maxzoom": high, "bounds": list(view.bounds)}
    parts = [{**part, "source": shared[part["source"]]} if "source" in part else part for part in style["layers"]]
    return {**style, "sources": sources, "layers": parts}
