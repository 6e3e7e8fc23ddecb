"""Checking a report: the signature, the digests of its files, and the answer, which is computed again.

The same question is put again. When the editions of today are those of the report, that is it; else it is put as of the
instant before the data of the report were read, and as of the latest commit among them. Only where none of these rests
on the same editions are they gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from geoservice.reports.carrier import Carried, check_files
from geoservice.reports.errors import EditionsGone, FiguresDiffer
from geoservice.reports.manifest import Json, Manifest, digest, inputs_of
from geoservice.reports.seal import check
from layers.errors import GeoError

Ask = Callable[[Json], Json]
"""Puts a question (`{"impact": …}` or `{"compliance": …}`) for the clearance of a report; gives the answer (JSON)."""
_MOST_TOLD = 20
_IGNORED = ("as_of",)
"""Members of an answer that say when it was asked for, and are no figures."""
_OF_THE_FILE = ("origin", "parcels", "digest")


@dataclass(frozen=True)
class Difference:
    """A figure that differs: where it stands in the answer, what the report says, what was found now."""

    where: str
    reported: Any
    found: Any

    def __str__(self) -> str:
        """The difference in one line."""
        return f"{self.where}: the report says {self.reported!r}, computed again it is {self.found!r}"


def check_seal(carried: Carried, trusted: Iterable[bytes]) -> list[str]:
    """Check signature and digests of a report.

    Returns:
        Names of the files that were compared.

    Raises:
        SealBroken: When the signature does not hold, or is of a key that is not trusted.
        ContentChanged: When the answer or a file is not what was signed.
    """
    check(carried.sealed, trusted)
    return check_files(carried)


def check_figures(manifest: Manifest, answer: Json, ask: Ask) -> None:
    """Compute the answer of a report again.

    Raises:
        FiguresDiffer: When it is another one; `differences` has the first of them.
        EditionsGone: When the editions it rests on are not to be had any more, or the question is refused now.
    """
    wanted, refused = inputs_of(answer), ""
    first: list[Difference] | None = None
    for question in _questions(manifest):
        try:
            found = ask(question)
        except GeoError as error:
            refused = error.detail
            continue
        if inputs_of(found) != wanted:
            continue
        differing = list(differences(_bare(answer), _bare(found)))
        if not differing:
            return
        first = first or differing
    if first is None:
        why = f" The question is refused now: {refused}" if refused else ""
        raise EditionsGone(f"The editions that this report rests on are not to be had here any more.{why}")
    told = [str(one) for one in first[:_MOST_TOLD]]
    more = f", and {len(first) - len(told)} more" if len(first) > len(told) else ""
    raise FiguresDiffer(f"Computed again, {len(first)} figure(s) differ. {'; '.join(told)}{more}.", differences=told)


def _questions(manifest: Manifest) -> Iterator[Json]:
    """The question as it was asked, then as of the instants at which its editions held."""
    body = manifest.question[manifest.kind]
    yield {manifest.kind: body}
    if body.get("as_of") is not None:
        return
    committed = [one.edition.committed for one in manifest.inputs]
    for instant in dict.fromkeys((manifest.moment, *([max(committed)] if committed else []))):
        yield {manifest.kind: {**body, "as_of": instant.isoformat()}}


def _bare(answer: Json) -> Json:
    bare = {name: value for name, value in answer.items() if name not in _IGNORED}
    if "red_line" in bare:
        # A red line that came as a file is put again as the zone that it was.
        bare["red_line"] = {name: value for name, value in bare["red_line"].items() if name not in _OF_THE_FILE}
    return bare


def differences(reported: Any, found: Any, where: str = "") -> Iterator[Difference]:
    """What differs between two JSON values, from the outside in; members of lists are named by what identifies them."""
    if digest(reported) == digest(found):
        return
    if isinstance(reported, dict) and isinstance(found, dict):
        for name in sorted({*reported, *found}):
            yield from differences(reported.get(name), found.get(name), f"{where}.{name}".lstrip("."))
    elif isinstance(reported, list) and isinstance(found, list) and len(reported) == len(found):
        for number, (one, other) in enumerate(zip(reported, found, strict=True)):
            yield from differences(one, other, f"{where}[{_name(one, number)}]")
    else:
        yield Difference(where, _brief(reported), _brief(found))


def _name(value: Any, number: int) -> str:
    if isinstance(value, dict):
        for member in ("layer", "id", "code", "rank"):
            if isinstance(value.get(member), str | int):
                return f"{number}: {value[member]}"
    return str(number)


def _brief(value: Any) -> Any:
    if isinstance(value, dict | list):
        return f"{len(value)} member(s)"
    return value
