"""What statistics found as a document, or as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from geoservice.statistics.found import Found, Group, Histogram
from geoservice.statistics.method import CELLS, ELLIPSOID, ROWS
from geoservice.statistics.tally import Tally, Value
from geoservice.statistics.wish import DIVISION, Grouping, Measure, Wish
from layers.answer import EditionRef
from layers.catalog import Catalog
from layers.model import Attribute, Layer, RasterLayer, Text

_UNITS = {"area": "m2", "length": "m", "share": "1"}
_TITLES = {
    "count": Text(zh="数量", en="Count"),
    "area": Text(zh="面积", en="Area"),
    "length": Text(zh="长度", en="Length"),
    "share": Text(zh="占比", en="Share"),
    "sum": Text(zh="合计", en="Sum"),
    "mean": Text(zh="平均", en="Mean"),
    "min": Text(zh="最小", en="Minimum"),
    "max": Text(zh="最大", en="Maximum"),
    "missing": Text(zh="缺失", en="Missing"),
}
_NOTHING = Text(zh="无值", en="No value")
_TRUTHS = {"true": Text(zh="是", en="Yes"), "false": Text(zh="否", en="No")}
_DIVISIONS = Text(zh="行政区划", en="Division")


class Written:
    """An answer with what is needed to name its parts."""

    def __init__(self, layer: Layer, catalog: Catalog, wish: Wish, found: Found) -> None:
        """Take what was asked and found."""
        self._layer, self._catalog, self._wish, self._found = layer, catalog, wish, found
        self._whole = (wish.shared, found.total.value(wish.shared))

    def body(self) -> dict[str, Any]:
        """The document, without links."""
        found, layer = self._found, self._layer
        return {
            "collection": layer.name,
            "titles": layer.title.model_dump(),
            "authority": layer.authority.model_dump(exclude_none=True),
            "edition": _edition(found.edition),
            "asOf": None if found.as_of is None else found.as_of.isoformat().replace("+00:00", "Z"),
            "groupBy": [self._grouping(group) for group in self._wish.groups],
            "within": self._wish.within,
            "measures": [self._measure(measure) for measure in self._wish.measures],
            "total": self._values(found.total),
            "numberOfGroups": found.number,
            "groups": [self._group(group) for group in found.groups],
            "rest": self._rest(),
            "outside": None if found.outside is None else self._values(found.outside),
            "histogram": None if found.histogram is None else self._histogram(found.histogram),
            "method": {**(CELLS if isinstance(layer, RasterLayer) else ROWS), "ellipsoid": ELLIPSOID},
        }

    def head(self) -> list[str]:
        """Names of the columns of the table."""
        names = [DIVISION if group.attribute is None else group.attribute for group in self._wish.groups]
        keys = [f"{name}{ending}" for name in names for ending in ("", "_zh", "_en")]
        return ["row", *keys, *(measure.name for measure in self._wish.measures)]

    def rows(self) -> Iterator[list[Any]]:
        """Rows of the table: the groups, then what is left, what lies outside, and the total, each called so."""
        found, blank = self._found, [None] * (3 * len(self._wish.groups))
        for group in found.groups:
            keys = [part for key, label in self._named(group) for part in (key, label.zh, label.en)]
            yield ["group", *keys, *self._values(group.tally).values()]
        for name, tally in (("rest", found.rest), ("outside", found.outside), ("total", found.total)):
            if tally is not None:
                yield [name, *blank, *self._values(tally).values()]

    def facts(self) -> Iterator[list[Any]]:
        """What a file says of itself."""
        found, layer = self._found, self._layer
        yield ["collection", layer.name]
        yield ["title", f"{layer.title.zh} / {layer.title.en}"]
        for name, edition in (("edition", found.edition), ("divisions", found.divided)):
            if edition is not None:
                yield [name, f"{edition.number} ({edition.committed.isoformat()}), {edition.source}"]
        if layer.authority.name is not None:
            yield ["authority", f"{layer.authority.name.zh} / {layer.authority.name.en}"]
        for measure in self._wish.measures:
            yield [measure.name, self._measure(measure)["unit"]]
        for name, text in (CELLS if isinstance(layer, RasterLayer) else ROWS).items():
            yield [name, text]

    def _values(self, tally: Tally) -> dict[str, Value]:
        return tally.values(self._wish.measures, self._whole)

    def _group(self, group: Group) -> dict[str, Any]:
        named = self._named(group)
        made: dict[str, Any] = {
            "keys": [key for key, _ in named],
            "labels": [label.model_dump() for _, label in named],
            "values": self._values(group.tally),
        }
        places = self._found.places
        if places is not None and self._wish.groups[0].attribute is None:
            made["parent"] = places.parents.get(group.keys[0] or "")
        return made

    def _named(self, group: Group) -> list[tuple[str | None, Text]]:
        pairs = zip(self._wish.groups, group.keys, strict=True)
        return [(key, self._label(grouping, key)) for grouping, key in pairs]

    def _label(self, grouping: Grouping, key: str | None) -> Text:
        if key is None:
            return _NOTHING
        if grouping.attribute is None:
            places = self._found.places
            return (places.names.get(key) if places is not None else None) or Text(zh=key, en=key)
        codes = self._codes(grouping.attribute)
        if codes is not None:
            known = self._catalog.codelist(codes)
            return Text(zh=known.label(key, "zh") or key, en=known.label(key, "en") or key)
        attribute = self._layer.attributes.get(grouping.attribute)
        truth = _TRUTHS.get(key) if attribute is not None and attribute.type == "boolean" else None
        return truth or Text(zh=key, en=key)

    def _codes(self, name: str) -> str | None:
        if isinstance(self._layer, RasterLayer):
            return self._layer.list
        return self._layer.attributes[name].list

    def _grouping(self, group: Grouping) -> dict[str, Any]:
        places = self._found.places
        if group.attribute is None and places is not None:
            return {
                "name": DIVISION,
                "titles": _DIVISIONS.model_dump(),
                "collection": places.layer.name,
                "level": places.level,
                "divisions": len(places.names),
                "edition": _edition(self._found.divided),
            }
        name = group.attribute or DIVISION
        made: dict[str, Any] = {"name": name, "titles": self._title(name).model_dump()}
        made |= {"period": group.period} if group.period else {}
        codes = self._codes(name)
        return made | ({"list": codes} if codes else {})

    def _measure(self, measure: Measure) -> dict[str, Any]:
        name, unit = measure.attribute, _UNITS.get(measure.kind)
        title = _TITLES[measure.kind]
        if name is not None:
            about = self._title(name)
            title = Text(zh=f"{about.zh}{title.zh}", en=f"{title.en} of {about.en}")
            unit = None if measure.kind == "missing" else self._unit(name)
        return {"name": measure.name, "titles": title.model_dump(), "unit": unit}

    def _title(self, name: str) -> Text:
        if isinstance(self._layer, RasterLayer):
            return self._layer.bands[0].title or self._layer.title
        attribute: Attribute = self._layer.attributes[name]
        return attribute.title or Text(zh=name, en=name)

    def _unit(self, name: str) -> str | None:
        if isinstance(self._layer, RasterLayer):
            return self._layer.bands[0].unit
        return self._layer.attributes[name].unit

    def _rest(self) -> dict[str, Any] | None:
        found = self._found
        if found.rest is None:
            return None
        return {"groups": found.number - len(found.groups), "values": self._values(found.rest)}

    def _histogram(self, histogram: Histogram) -> dict[str, Any]:
        name = histogram.attribute
        return {
            "name": name,
            "titles": self._title(name).model_dump(),
            "unit": self._unit(name),
            "edges": list(histogram.edges),
            "counts": list(histogram.counts),
            "missing": histogram.missing,
        }


def _edition(found: EditionRef | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"number": found.number, "committed": found.committed.isoformat(), "source": found.source}
