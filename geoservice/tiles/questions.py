"""What a request asks of a vector tile beside its place, as it was written and as it is meant."""

from __future__ import annotations

from dataclasses import dataclass

from geoservice.features.filtering import NO_FILTER, WrittenFilter
from geoservice.features.past import final_at, instant_asked
from geoservice.house import House
from layers.access import Principal, decide
from layers.errors import BadParameter
from layers.interval import parse_datetime
from layers.model import VectorLayer
from tiles.asked import PRESENT, Question

_SIDES = 2


@dataclass(frozen=True, slots=True)
class Written:
    """Parameters of a tile as they were written; None for those that were not."""

    datetime: str | None = None
    as_of: str | None = None
    edition: str | None = None
    between: str | None = None
    filter: WrittenFilter = NO_FILTER

    @property
    def first(self) -> str | None:
        """Name of the first parameter that asks for more than what holds now."""
        named = {
            "filter": self.filter.text,
            "datetime": self.datetime,
            "as-of": self.as_of,
            "edition": self.edition,
            "between": self.between,
        }
        return next((name for name, text in named.items() if text is not None), None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is meant; `final` says that no later edition can change the answer."""

    question: Question = PRESENT
    final: bool = False


async def understood(house: House, asker: Principal, layer: VectorLayer, z: int, written: Written) -> Asked:
    """What the parameters of a tile mean for a layer.

    Args:
        house: The service.
        asker: Who asks.
        layer: The layer; the asker may see it.
        z: Zoom level of the tile.
        written: The parameters.

    Raises:
        BadParameter: When one is malformed, they exclude each other, or the layer answers such questions from a higher
            zoom level on only.
    """
    if written.first is None:
        return Asked()
    if z < layer.exact_from:
        raise BadParameter(
            f"Tiles of {layer.name} answer {written.first} from zoom level {layer.exact_from} on, from exact rows; "
            f"this one is of level {z}.",
            parameter=written.first,
            minimum=layer.exact_from,
        )
    if written.between is not None:
        return await _between(house, asker, layer, written)
    interval = None if written.datetime is None else parse_datetime(written.datetime)
    condition = written.filter.understood(layer, decide(asker, "read", layer))
    async with house.pools.raw(asker.clearance) as connection:
        instant = await instant_asked(connection, layer, written.as_of, written.edition)
        final = instant is not None and await final_at(connection, layer, instant)
    return Asked(Question(interval, instant, filter=condition), final)


async def _between(house: House, asker: Principal, layer: VectorLayer, written: Written) -> Asked:
    if written.first != "between":
        raise BadParameter(
            f"between compares two editions and stands alone; {written.first} was given too.", parameter="between"
        )
    numbers = (written.between or "").split("/")
    if len(numbers) != _SIDES:
        raise BadParameter(
            "between is the numbers of two editions of the collection, the earlier first, such as 12/15.",
            parameter="between",
        )
    async with house.pools.raw(asker.clearance) as connection:
        first, second = [await instant_asked(connection, layer, None, number, "between") for number in numbers]
    if first is None or second is None or first > second:
        raise BadParameter(
            f"between names the earlier edition first; {numbers[0][:30]} came after {numbers[1][:30]}.",
            parameter="between",
        )
    return Asked(Question(between=(first, second)), final=True)
