"""Code lists. A code without its list and edition is meaningless, because lists collide."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.errors import DefinitionError

_ID = re.compile(r"^[a-z0-9][a-z0-9-]*@[a-z0-9.-]+$")
_COLOUR = re.compile(r"^#[0-9a-f]{6}$")
REQUIRED_COLUMNS = ("code", "zh", "en")


@dataclass(frozen=True, slots=True)
class Code:
    """One entry: code, Chinese and English name, and optionally a colour (#rrggbb) and a parent code."""

    code: str
    zh: str
    en: str
    colour: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class CodeList:
    """A code list of one edition, in the order of its file. Its id reads `name@edition`."""

    id: str
    codes: Mapping[str, Code]

    def colours(self) -> dict[str, str]:
        """Colour by code, for the codes that have one."""
        return {c.code: c.colour for c in self.codes.values() if c.colour}

    def label(self, code: str, language: str) -> str:
        """Name of a code in `zh` or `en`; the code itself when it is not in the list."""
        entry = self.codes.get(code)
        if entry is None:
            return code
        return entry.zh if language == "zh" else entry.en


def read_codelist(path: Path) -> CodeList:
    """Read `name@edition.csv` with the columns code, zh, en and optionally colour, parent.

    Raises:
        DefinitionError: When the name, the header, a colour or a code (empty, double) is wrong.
    """
    list_id = path.name.removesuffix(".csv")
    if not _ID.match(list_id):
        raise DefinitionError(
            f"{path.name}: a code list file is called name@edition.csv, in lower case", file=path.name
        )
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = [c for c in REQUIRED_COLUMNS if c not in (reader.fieldnames or ())]
        if missing:
            raise DefinitionError(f"{path.name}: column(s) {', '.join(missing)} missing", file=path.name)
        codes: dict[str, Code] = {}
        for row in reader:
            code = _read_code(row, path.name)
            if code.code in codes:
                raise DefinitionError(f"{path.name}: code {code.code!r} appears twice", file=path.name)
            codes[code.code] = code
    return CodeList(list_id, codes)


def _read_code(row: Mapping[str, str], file: str) -> Code:
    colour = (row.get("colour") or "").strip() or None
    if colour is not None and not _COLOUR.match(colour):
        raise DefinitionError(f"{file}: colour {colour!r} of {row['code']!r} is not #rrggbb in lower case", file=file)
    code = row["code"].strip()
    if not code:
        raise DefinitionError(f"{file}: an entry has no code", file=file)
    return Code(code, row["zh"].strip(), row["en"].strip(), colour, (row.get("parent") or "").strip() or None)
