"""Addresses brought to one form, so that two spellings of one place compare equal.

Compatible characters become one (full and half width), spaces and punctuation go, Chinese numerals before a house
number's unit become digits (十二号 = 12号), and the names of province and city in front are set apart, since they are
often left out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_SPACES = re.compile(r"[\s,.、，。;；:：'\"‘’“”·]+")
_DASHES = re.compile(r"[‐‑‒–—―−－]")
_UNITS = "号|弄|幢|栋|座|单元|室|层|院|门|组"
_NUMERAL = re.compile(rf"([零〇一二两三四五六七八九十百千]+)(?={_UNITS})")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_HASH = re.compile(r"(?<=\d)#")
_REGION = re.compile(
    r"^(?P<province>[^\d省市区县路街]{1,8}?(?:省|自治区|特别行政区))?"
    r"(?P<city>[^\d省市区县路街]{1,8}?(?:(?<![超门夜菜集都])市|自治州|地区|盟))?"
)
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWERS = {"十": 10, "百": 100, "千": 1000}


@dataclass(frozen=True)
class Address:
    """A normalised address.

    Attributes:
        region: Province and city as far as they were written, each in angle brackets of its own text.
        place: The rest, from district or street on.
    """

    region: tuple[str, ...]
    place: str

    def may_be(self, region: tuple[str, ...]) -> bool:
        """Whether an address with this region can be the same: what both write must agree."""
        shorter, longer = sorted((self.region, region), key=len)
        return all(part in longer for part in shorter)


def normalise(text: str) -> Address:
    """Bring an address to its one form."""
    plain = unicodedata.normalize("NFKC", text).replace("號", "号").casefold()
    plain = _DASHES.sub("-", _SPACES.sub("", plain))
    plain = _HASH.sub("号", plain)
    plain = _ZEROS.sub("", _NUMERAL.sub(lambda m: str(_number(m.group(1))), plain))
    found = _REGION.match(plain)
    if found is None or found.end() == len(plain):
        return Address((), plain)
    region = tuple(part for part in (found.group("province"), found.group("city")) if part)
    return Address(region, plain[found.end() :])


def _number(numeral: str) -> int | str:
    """Value of a Chinese numeral, spoken (一百零五) or digit by digit (一〇五)."""
    if not any(c in _POWERS for c in numeral):
        return "".join(str(_DIGITS[c]) for c in numeral)
    total = digit = 0
    for character in numeral:
        if character in _POWERS:
            # 十二 begins with its power: ten stands for one ten.
            total += (digit or 1) * _POWERS[character]
            digit = 0
        else:
            digit = _DIGITS[character]
    return total + digit
