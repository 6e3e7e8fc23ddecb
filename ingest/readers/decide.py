"""The decision about an encoding: what the mapping insists on, what the file declares, what its texts suggest."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ingest.notes import Notes
from ingest.readers.charset import CANDIDATES, MOST, Decision, canonical, contradicted, likely_foreign, posterior
from layers.errors import SourceMismatch, SourceUnreadable

_HOPELESS = 0.1
_ABSURD = 1e-3
"""A candidate this improbable is not taken for want of a better one."""


@dataclass
class Scan:
    """What a strict reading of all texts in one encoding found.

    Attributes:
        rows: Rows or lines that are not empty.
        filled: Texts outside ASCII.
        spoiled: Row -> number of the field -> its bytes, for those that are no text.
        first: Byte in the file of the first of them.
        cut: Texts that fill their field and end inside a character.
    """

    rows: int = 0
    filled: int = 0
    cut: int = 0
    spoiled: dict[int, dict[int, bytes]] = field(default_factory=dict)
    first: int | None = None

    @property
    def bad(self) -> int:
        """Number of texts that are no text."""
        return sum(len(fields) for fields in self.spoiled.values())

    @property
    def hopeless(self) -> bool:
        """Whether so many texts cannot be read that the encoding is the wrong one."""
        return self.bad > _HOPELESS * self.filled


@dataclass(frozen=True)
class Evidence:
    """What is known about the texts of a file.

    Attributes:
        name: File name for sentences.
        place: Where positions of bytes count, such as `of the .dbf`; may be empty.
        insisted: Encodings of the mapping, in order.
        declared: Encodings that the file declares, each with what declares it: `the .cpg file`.
        sample: Texts as bytes.
        read: Strict reading of all texts in an encoding.
    """

    name: str
    place: str
    insisted: tuple[str, ...]
    declared: Sequence[tuple[str, str]]
    sample: Sequence[bytes]
    read: Callable[[str], Scan]


def known(encoding: str) -> str:
    """Python's name of an encoding.

    Raises:
        SourceMismatch: When there is none of that name.
    """
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise SourceMismatch(f"The source mapping names the unknown encoding {encoding!r}.") from error


def decide(evidence: Evidence, notes: Notes) -> tuple[Decision, Scan]:
    """Choose the encoding and read all texts in it.

    What the mapping names is taken in order, without a second thought. What the file declares is taken unless its
    bytes are no text in that encoding, or their characters make it absurd. Then statistics decide. A few texts that
    cannot be read do not unseat an encoding: their rows go to quarantine.

    Raises:
        SourceUnreadable: Naming the encodings tried and where each failed.
        SourceMismatch: When the mapping names an unknown encoding.
    """
    chances = posterior(evidence.sample)
    tried: dict[str, Scan] = {}
    if evidence.insisted:
        found = _claimed(evidence, [(known(e), "the source mapping") for e in evidence.insisted], tried)
    else:
        found = _declared(evidence, chances, tried, notes) or _by_statistics(evidence, chances, tried)
    if found is None:
        raise _refusal(evidence, tried)
    scan = tried[found.encoding]
    if not scan.filled:
        return replace(found, confidence=1.0), scan
    doubt = chances[canonical(found.encoding)] if contradicted(found.encoding, chances) else 1.0
    decision = replace(found, confidence=found.confidence * doubt * (1 - scan.bad / scan.filled))
    decision.note(notes)
    if scan.cut:
        message = "Texts that fill their field end inside a character; that character is left out."
        notes.add("cut-text", "warning", message, count=scan.cut)
    return decision, scan


def _claimed(evidence: Evidence, claims: Sequence[tuple[str, str]], tried: dict[str, Scan]) -> Decision | None:
    """The first claim in which everything can be read, or else the first in which nearly everything can."""
    for encoding, claim in claims:
        if not tried.setdefault(encoding, evidence.read(encoding)).bad:
            return Decision(encoding, f"as {claim} says", 1.0)
    return next((Decision(e, f"as {claim} says", 1.0) for e, claim in claims if not tried[e].hopeless), None)


def _declared(evidence: Evidence, chances: dict[str, float], tried: dict[str, Scan], notes: Notes) -> Decision | None:
    for encoding, claim in evidence.declared:
        found = _claimed(evidence, [(encoding, claim)], tried)
        if found is not None and not contradicted(encoding, chances):
            return found
        reason = "the bytes are no text in it" if found is None else "the texts make no sense in it"
        message = f"{claim[0].upper()}{claim[1:]} says {encoding}, which was not believed: {reason}."
        notes.add("encoding-declared", "warning", message, count=1)
    return None


def _by_statistics(evidence: Evidence, chances: dict[str, float], tried: dict[str, Scan]) -> Decision | None:
    for encoding in sorted(CANDIDATES, key=lambda e: -chances.get(e, 0.0)):
        if chances and chances[encoding] < _ABSURD:
            continue
        scan = tried.setdefault(encoding, evidence.read(encoding))
        if not scan.hopeless:
            why = "as the frequency of its characters suggests" if scan.filled else "as it holds ASCII only"
            return Decision(encoding, why, min(chances.get(encoding, 0.5), MOST))
    return None


def _refusal(evidence: Evidence, tried: dict[str, Scan]) -> SourceUnreadable:
    place = f" {evidence.place}" if evidence.place else ""
    failures = ", ".join(f"{e} (fails at byte {scan.first}{place})" for e, scan in tried.items())
    foreign = likely_foreign(evidence.sample)
    hint = f" It may be {foreign}." if foreign else ""
    return SourceUnreadable(
        f"{evidence.name} is not text in any expected encoding; tried {failures or ', '.join(CANDIDATES)}.{hint} "
        "Name its encoding in the source mapping.",
        source=evidence.name,
    )
