"""The layer reference: one Markdown page from the catalogue, for `docs/layers.md`. Pure; writes nothing.

`python -m layers.reference > docs/layers.md` renews the page; a test asserts that it is current.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from layers.catalog import Catalog, read_catalog
from layers.codelist import CodeList
from layers.model import Attribute, Layer, RasterLayer, TableLayer, Text, VectorLayer

GROUPS = "portal-group@1"
_SHARE = {"unconditional": "unconditional", "conditional": "on application", "withheld": "withheld"}
_INTRO = """\
# Layers

Every layer is defined by one file, `layers/themes/<theme>/<layer>.yaml`; this page is made from those files by
`python -m layers.reference`. Layers of an agency (`GEOSERVICE_LAYERS_DIR`) add to them.

Geometries are stored in EPSG:4490 (x = longitude, y = latitude, degrees). Times are UTC. A code attribute names its
list and edition. Attributes marked with a clearance, and layers above *public*, are shown to nobody below it.
"""


def render(catalog: Catalog) -> str:
    """The whole page."""
    groups = catalog.codelist(GROUPS)
    lines = [_INTRO, "## Overview", "", *_overview(catalog, groups)]
    for group in _groups(catalog, groups):
        lines += ["", f"## {groups.label(group, 'en')} / {groups.label(group, 'zh')}"]
        for layer in catalog:
            if layer.group == group:
                lines += ["", *_layer(layer)]
    lines += ["", "## Code lists", "", *_lists(catalog.codelists.values())]
    return "\n".join(lines).rstrip() + "\n"


def _groups(catalog: Catalog, groups: CodeList) -> list[str]:
    """Groups that have layers: those of the list in its order, then any other."""
    used = {layer.group for layer in catalog}
    return [g for g in groups.codes if g in used] + sorted(used - groups.codes.keys())


def _overview(catalog: Catalog, groups: CodeList) -> Iterator[str]:
    rows = [
        (f"[{layer.name}](#{layer.name})", both(layer.title), shape(layer), layer.clearance.label, layer.cycle)
        for group in _groups(catalog, groups)
        for layer in catalog
        if layer.group == group
    ]
    return _table(("layer", "title", "kind", "clearance", "cycle"), rows)


def _layer(layer: Layer) -> Iterator[str]:
    yield f"### {layer.name}"
    yield ""
    yield f"**{both(layer.title)}**"
    if layer.abstract is not None:
        yield ""
        yield f"{layer.abstract.en}  "
        yield layer.abstract.zh
    yield ""
    yield from (f"- {name}: {value}" for name, value in _facts(layer))
    yield ""
    yield from _columns(layer)
    if layer.sources:
        yield ""
        yield from _sources(layer)


def _facts(layer: Layer) -> Iterator[tuple[str, str]]:
    authority = layer.authority
    share = layer.licence
    yield "Definition", f"`layers/themes/{layer.id}.yaml`"
    yield "Kind", shape(layer)
    yield "Authority", f"{both(authority.name)} (`{authority.kind}`)" if authority.name else f"`{authority.kind}`"
    yield "Sharing", f"{_SHARE[share.share]}; basis: {share.basis}" + (f"; terms: {share.terms}" if share.terms else "")
    if share.attribution:
        yield "Attribution", share.attribution
    yield "Clearance", layer.clearance.label
    yield "Update cycle", layer.cycle
    if not isinstance(layer, RasterLayer):
        yield from _tabular_facts(layer)
    if not isinstance(layer, TableLayer):
        yield "Tiles", f"zoom {layer.tiles.from_} to {layer.tiles.to}"
    if layer.exposure is not None:
        yield "Counted in a zone as", f"{layer.exposure.role}, by {layer.exposure.measure}"
    if isinstance(layer, VectorLayer) and layer.hazard is not None:
        yield "Hazard", layer.hazard.role


def _tabular_facts(layer: VectorLayer | TableLayer) -> Iterator[tuple[str, str]]:
    yield "Key", ", ".join(f"`{name}`" for name in layer.key) or "none (content)"
    if layer.time is not None:
        yield "Time", f"`{layer.time}`"
    if layer.row_clearance is not None:
        yield "Clearance of a row", f"`{layer.row_clearance}`"
    if isinstance(layer, TableLayer) and layer.belongs_to is not None:
        yield "Belongs to", f"`{layer.belongs_to.layer}` by `{layer.belongs_to.by}`"


def shape(layer: Layer) -> str:
    """Kind of a layer in a few words."""
    if isinstance(layer, VectorLayer):
        return f"{'geometry' if layer.geometry == 'any' else layer.geometry}{', coverage' if layer.coverage else ''}"
    if isinstance(layer, RasterLayer):
        return f"raster, {len(layer.bands)} band{'s' if len(layer.bands) > 1 else ''}"
    return layer.storage


def both(text: Text) -> str:
    """A bilingual text as `English / 中文`."""
    return f"{text.en} / {text.zh}"


def _columns(layer: Layer) -> Iterator[str]:
    if isinstance(layer, RasterLayer):
        rows = [
            (
                f"`{b.name}`",
                both(b.title) if b.title else "",
                b.unit or "",
                layer.list or "",
                _span(b.range),
                _plain(b.nodata),
            )
            for b in layer.bands
        ]
        return _table(("band", "title", "unit", "code list", "range", "no data"), rows)
    attributes = [_attribute(name, attribute) for name, attribute in layer.attributes.items()]
    return _table(("attribute", "title", "type", "unit", "rules"), attributes)


def _attribute(name: str, attribute: Attribute) -> tuple[str, ...]:
    kind = f"code ({attribute.list})" if attribute.list else attribute.type
    rules = [
        "required" if attribute.required else "",
        f"range {_span(attribute.range)}" if attribute.range else "",
        f"pattern `{attribute.pattern}`" if attribute.pattern else "",
        f"clearance {attribute.clearance.label}" if attribute.clearance else "",
        attribute.description.en if attribute.description else "",
    ]
    title = both(attribute.title) if attribute.title else ""
    return f"`{name}`", title, kind, attribute.unit or "", "; ".join(rule for rule in rules if rule)


def _span(span: tuple[float | None, float | None] | None) -> str:
    return "" if span is None else f"{_plain(span[0]) or '−∞'} … {_plain(span[1]) or '∞'}"


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:.15g}"


def _sources(layer: Layer) -> Iterator[str]:
    rows = [
        (f"`{name}`", ", ".join(f"`{glob}`" for glob in m.match), m.attribution or layer.licence.attribution or "")
        for name, m in layer.sources.items()
    ]
    return _table(("mapping", "files", "credits"), rows)


def _lists(lists: Iterable[CodeList]) -> Iterator[str]:
    rows = [
        (f"`{c.id}`", str(len(c.codes)), ", ".join(f"{code} {entry.en}" for code, entry in list(c.codes.items())[:6]))
        for c in sorted(lists, key=lambda entry: entry.id)
    ]
    return _table(("list", "codes", "begins with"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    print(render(read_catalog()), end="")
