"""The layers of the map service as a reader sees them: groups by theme, each with its layers."""

from __future__ import annotations

from dataclasses import dataclass

from geoservice.house import House
from geoservice.maps.picture import Shown
from geoservice.wms.pairs import Pairs, WmsError
from layers.access import Principal, decide
from layers.errors import BadParameter
from layers.interval import parse_datetime
from layers.model import Layer, RasterLayer, TableLayer, Text, VectorLayer
from tiles.asked import PRESENT, Question

DEFAULT_STYLE = "default"
MOST_LAYERS = 40
"""Layers of one request (`LayerLimit`)."""
GROUP_LIST = "portal-group@1"


@dataclass(frozen=True)
class Group:
    """A group of layers: its id, its title, its members in the order of the portal."""

    name: str
    title: Text
    members: tuple[VectorLayer | RasterLayer, ...]


def groups(house: House, asker: Principal) -> tuple[Group, ...]:
    """The groups that hold layers which the principal may see, in the order of their code list."""
    lists = house.catalog.codelists
    known = lists[GROUP_LIST].codes if GROUP_LIST in lists else {}
    members: dict[str, list[VectorLayer | RasterLayer]] = {}
    for layer in house.visible(asker):
        if not isinstance(layer, TableLayer):
            members.setdefault(layer.group, []).append(layer)
    order = [*(name for name in known if name in members), *sorted(set(members) - set(known))]
    titles = {
        name: Text(zh=known[name].zh, en=known[name].en) if name in known else Text(zh=name, en=name) for name in order
    }
    return tuple(
        Group(name, titles[name], tuple(sorted(members[name], key=lambda one: one.portal.order))) for name in order
    )


def wanted(house: House, asker: Principal, pairs: Pairs, parameter: str = "LAYERS") -> list[Shown]:
    """The layers of a request, from bottom to top, with what the principal may see of them.

    Raises:
        WmsError: When there are none or too many, or the principal sees no layer of a name.
    """
    names = pairs.names(parameter)
    if not names:
        raise WmsError(f"The parameter {parameter} is missing.", "MissingParameterValue")
    if len(names) > MOST_LAYERS:
        raise WmsError(f"{parameter} names at most {MOST_LAYERS} layers; these are {len(names)}.")
    found = [_layer(house, asker, name) for name in names]
    _check_styles(pairs, len(names))
    return [Shown(layer, decide(asker, "read", layer), _question(layer, pairs)) for layer in dict.fromkeys(found)]


def _layer(house: House, asker: Principal, name: str) -> VectorLayer | RasterLayer:
    for layer in house.visible(asker):
        if layer.name == name and not isinstance(layer, TableLayer):
            return layer
    raise WmsError(
        f"There is no layer {name[:60]!r}; GetCapabilities lists those there are.", "LayerNotDefined", missing=True
    )


def _check_styles(pairs: Pairs, layers: int) -> None:
    styles = pairs.names("STYLES")
    if len(styles) not in (0, layers):
        raise WmsError(
            f"STYLES names one style per layer; there are {layers} layers and {len(styles)} styles.", "StyleNotDefined"
        )
    for style in styles:
        check_style(style)


def check_style(style: str) -> None:
    """Make sure that there is a style of this name; every layer has one.

    Raises:
        WmsError: When there is not.
    """
    if style not in ("", DEFAULT_STYLE):
        raise WmsError(f"Layers have the style {DEFAULT_STYLE}; there is no {style[:60]!r}.", "StyleNotDefined")


def _question(layer: Layer, pairs: Pairs) -> Question:
    """What TIME asks of the rows of a layer that has a time."""
    text = pairs.get("TIME")
    if text is None or not isinstance(layer, VectorLayer) or layer.time is None:
        return PRESENT
    start, slash, end = text.partition("/")
    # A list, or a period after the interval, is not offered.
    if "," in text or "/" in end:
        raise WmsError(
            "TIME is an instant or start/end in ISO 8601; lists and periods are not offered.", "InvalidDimensionValue"
        )
    try:
        return Question(parse_datetime(f"{start or '..'}/{end or '..'}" if slash else start))
    except BadParameter as error:
        raise WmsError(f"TIME is not understood: {error.detail}", "InvalidDimensionValue") from None
