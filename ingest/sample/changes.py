"""What the fictional county's divisions went through: pairs of codes before and after, as registers keep them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ingest.sample.settlements import ADCODE, COUNTY, Settlements

COLUMNS = ("change_id", "effective", "kind", "from_code", "from_name", "to_code", "to_name", "note_zh", "note_en")
FORMER_COUNTY = "992122"
OLD_TOWNSHIP, SMALL_TOWNSHIPS, RANCH = "206", ("207", "208"), "400"
NOTE = ("虚构的变更，仅作演示", "Fictional change, for demonstration only")


@dataclass(frozen=True)
class Pair:
    """One pair of a change: code and name before and after; None where there is none."""

    before: tuple[str, str] | None
    after: tuple[str, str] | None


def build_changes(settlements: Settlements) -> list[dict[str, str]]:
    """Rows of the register, the earliest first: a recoding, a merger, a rise to a town, a split and others."""
    now = {t.code[-3:]: (t.code, t.name.zh) for t in settlements.townships}
    county = (ADCODE, COUNTY.zh)
    events: list[tuple[dt.date, str, list[Pair]]] = [
        (dt.date(1996, 1, 1), "recode", [Pair((FORMER_COUNTY, COUNTY.zh), county)]),
        (dt.date(2001, 7, 1), "merge", [Pair(now["100"], now["100"]), Pair(_old(OLD_TOWNSHIP, "旧城乡"), now["100"])]),
        (dt.date(2005, 5, 1), "upgrade", [Pair(_old("204", _as_township(now["101"][1])), now["101"])]),
        (dt.date(2010, 9, 1), "split", [Pair(now["200"], now["200"]), Pair(now["200"], now["201"])]),
        (dt.date(2013, 1, 1), "rename", [Pair(_old("102", "旧" + now["102"][1]), now["102"])]),
        (
            dt.date(2019, 11, 1),
            "merge",
            [Pair(now["202"], now["202"]), *(Pair(_old(c, n), now["202"]) for c, n in _small())],
        ),
        (dt.date(2020, 6, 1), "abolish", [Pair(_old(RANCH, "样例牧场"), None)]),
        (
            dt.date(2022, 3, 1),
            "transfer",
            [Pair(now["203"], now["203"]), Pair(now["203"], now["104"]), Pair(now["104"], now["104"])],
        ),
    ]
    return [_row(day, kind, number, pair) for day, kind, pairs in events for number, pair in enumerate(pairs, 1)]


def _small() -> list[tuple[str, str]]:
    return list(zip(SMALL_TOWNSHIPS, ("东岔乡", "西岔乡"), strict=True))


def _old(ending: str, name: str) -> tuple[str, str]:
    return (f"{ADCODE}{ending}", name)


def _as_township(name: str) -> str:
    return name.removesuffix("镇") + "乡"


def _row(day: dt.date, kind: str, number: int, pair: Pair) -> dict[str, str]:
    before, after = pair.before or ("", ""), pair.after or ("", "")
    values = (f"{day:%Y%m%d}-{kind}-{number}", day.isoformat(), kind, *before, *after, *NOTE)
    return dict(zip(COLUMNS, values, strict=True))
