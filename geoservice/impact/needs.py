"""What people in a zone need, by declared ratios per person (`needs.csv`, each with its source)."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from geoservice.impact.explain import VERSION
from layers.impact import Explanation, Need, People
from layers.model import Text

_FILE = Path(__file__).with_name("needs.csv")
_DECIMALS = 1


@lru_cache(maxsize=1)
def ratios() -> tuple[dict[str, str], ...]:
    """The declared ratios, as they are in the file."""
    with _FILE.open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))


def needs_of(people: People, *, explain: bool = False) -> tuple[Need, ...]:
    """Needs of some people; the low end takes the low number and the low ratio, the high end the high ones."""
    return tuple(_need(row, people, explain) for row in ratios())


def _need(row: dict[str, str], people: People, explain: bool) -> Need:
    ratio, low, high = (float(row[name]) for name in ("ratio", "low", "high"))
    fewest = people.value if people.low is None else people.low
    most = people.value if people.high is None else people.high
    return Need(
        id=row["id"],
        title=Text(zh=row["zh"], en=row["en"]),
        unit=row["unit"],
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        source=row["source"],
        value=round(people.value * ratio, _DECIMALS),
        low=round(fewest * low, _DECIMALS),
        high=round(most * high, _DECIMALS),
        explain=_explained(people) if explain else None,
    )


def _explained(people: People) -> Explanation:
    return Explanation(
        formula="people × ratio; low: people at the low end × low ratio; high: people at the high end × high ratio",
        method=f"geoservice impact {VERSION}: needs by declared ratios",
        inputs=(f"people by {people.method} from {people.layer}", "needs.csv"),
    )
