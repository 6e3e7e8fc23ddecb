"""The files that belong to a raster: world file, projection, mask and the like beside the one that is named."""

from __future__ import annotations

from pathlib import Path

WORLD_FILES = {
    ".tif": (".tfw", ".tifw", ".wld"),
    ".tiff": (".tfw", ".tiffw", ".wld"),
    ".png": (".pgw", ".pngw", ".wld"),
    ".jpg": (".jgw", ".jpgw", ".wld"),
    ".jpeg": (".jgw", ".jpegw", ".jpgw", ".wld"),
}
"""Extension of a picture -> extensions of the world file beside it, in the order in which they are looked for."""
PROJECTION, AUXILIARY = ".prj", ".aux.xml"
_BESIDE = {
    **{suffix: (*worlds, PROJECTION, AUXILIARY, ".msk") for suffix, worlds in WORLD_FILES.items()},
    ".img": (".ige", ".rrd", PROJECTION, AUXILIARY),
    ".asc": (PROJECTION, AUXILIARY),
    ".agr": (PROJECTION, AUXILIARY),
}


def raster_siblings(source: Path) -> tuple[Path, ...]:
    """Files beside a raster that say where it lies or hold a part of it, by name; empty when there are none.

    Both habits count: `a.prj` and `a.png.prj` belong to `a.png`. Case does not matter.
    """
    wanted = _BESIDE.get(source.suffix.lower(), ())
    if not wanted or not source.parent.is_dir():
        return ()
    names = {f"{start}{end}".lower() for start in (source.stem, source.name) for end in wanted}
    beside = (p for p in source.parent.iterdir() if p.name.lower() in names and p.name != source.name)
    return tuple(sorted(p for p in beside if p.is_file()))
