"""How names are written for searching: folded, in pinyin, by initials, without the word for what kind of unit it is.

Chinese characters are read as pypinyin reads the whole name; characters that places pronounce in more than one way give
further readings. Everything here is pure and knows no database.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import islice

MOST_READINGS = 4
MOST_WORDS = 4
LONGEST_NAME = 80
"""Characters of a name that are searched; what comes after them is not."""
POLYPHONES = frozenset(
    "重长乐朝厦会都大番台单尉燕佛蚌铅解盖洪泌浚莘丽枞筠行藏曲少仇华任盛那阿弹参朴查柏乘应兴相沈召峙洞车莞济浒堡埔圳涌陂"
    "晟圩瓯夏石六泊葛血角贾给降奇隗"
)
"""Characters that occur in names of places with more than one reading."""
_KINDS = (
    "特别行政区", "自治区", "自治州", "自治县", "自治旗", "街道办事处", "民族乡", "地区", "林区", "街道", "苏木", "省",
    "市", "盟", "县", "区", "旗", "镇", "乡", "村",
)  # fmt: skip
_PEOPLES = (
    "蒙古", "回", "藏", "维吾尔", "苗", "彝", "壮", "布依", "朝鲜", "满", "侗", "瑶",
    "白", "土家", "哈尼", "哈萨克", "傣", "黎", "傈僳", "佤", "畲", "高山", "拉祜", "水",
    "东乡", "纳西", "景颇", "柯尔克孜", "土", "达斡尔", "仫佬", "羌", "布朗", "撒拉", "毛南", "仡佬",
    "锡伯", "阿昌", "普米", "塔吉克", "怒", "乌孜别克", "俄罗斯", "鄂温克", "德昂", "保安", "裕固", "京",
    "塔塔尔", "独龙", "鄂伦春", "赫哲", "门巴", "珞巴", "基诺", "各",
)  # fmt: skip
_PEOPLE = re.compile(f"(?:{'|'.join(sorted(_PEOPLES, key=len, reverse=True))})族$")
_BARE_PEOPLE = re.compile(r"(?:蒙古|哈萨克|柯尔克孜|维吾尔)$")
_BRACKETED = re.compile(r"[（(\[［【][^（()）\[\]［］【】]*[)）\]］】]")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")
_LEAST_STEM = 2


class Form(IntEnum):
    """What a term is of its name; the lower, the closer to how the name is written."""

    NAME = 0
    ALIAS = 1
    PINYIN = 2
    INITIALS = 3
    WORD = 4


@dataclass(frozen=True, slots=True)
class Term:
    """One text under which a name is found, folded, and what it is of the name."""

    text: str
    form: Form


def has_han(text: str) -> bool:
    """Whether a text has Chinese characters."""
    return _HAN.search(text) is not None


def fold(text: str) -> str:
    """A text in the form that searches compare: letters and digits alone, in lower case, without accents.

    Full-width characters become ordinary ones (NFKC), spaces and punctuation go.
    """
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if c.isalnum()))


@lru_cache(maxsize=65_536)
def syllables(text: str) -> tuple[str, ...]:
    """The readings of a folded text, one per Chinese character; other characters stay together as they are."""
    # The dictionary takes a moment and memory, which commands that search nothing need not spend.
    from pypinyin import lazy_pinyin  # noqa: PLC0415

    return tuple(lazy_pinyin(text))


def sound(text: str) -> str:
    """The pinyin of a folded text, or the text itself where it is Latin; what is left is plain ASCII."""
    joined = "".join(syllables(text)) if has_han(text) else text
    return "".join(c for c in joined if c.isascii())


def stem(name: str) -> str | None:
    """A name of a division without the word for its kind and the peoples it is named after; None where nothing stays.

    `朝阳区` is `朝阳`, `延边朝鲜族自治州` is `延边`.
    """
    kind = next((k for k in _KINDS if name.endswith(k) and len(name) - len(k) >= _LEAST_STEM), None)
    if kind is None:
        return None
    left = name[: -len(kind)]
    if kind.startswith(("自治", "民族")):
        while len(left) > _LEAST_STEM and (found := _PEOPLE.search(left) or _BARE_PEOPLE.search(left)):
            if found.start() < _LEAST_STEM:
                break
            left = left[: found.start()]
    return left


def terms(name: str, *, alias: bool = False, division: bool = False) -> tuple[Term, ...]:
    """All texts under which a name is found, each once, in its closest form.

    Args:
        name: The name as it is written.
        alias: Whether it is a further name of something that has another one.
        division: Whether the word for its kind may be left out.
    """
    written = name[:LONGEST_NAME]
    found: dict[str, Form] = {}
    _add(found, fold(written), Form.ALIAS if alias else Form.NAME)
    bare = _BRACKETED.sub("", written)
    for other in (bare, *(_shorter(bare.strip()) if division else ())):
        _add(found, fold(other), Form.ALIAS)
    for text in [t for t in found if has_han(t)]:
        for reading in readings(text):
            _add(found, "".join(reading), Form.PINYIN)
            if len(reading) > 1:
                _add(found, "".join(one[0] for one in reading), Form.INITIALS)
    _add_words(found, written)
    return tuple(Term(text, form) for text, form in found.items())


def readings(folded: str) -> list[tuple[str, ...]]:
    """The syllables of a folded Chinese text: as the whole is read, then with doubtful characters read otherwise."""
    plain = syllables(folded)
    found = [plain]
    if "lv" in "".join(plain) or "nv" in "".join(plain):
        found.append(tuple(one.replace("v", "u") for one in plain))
    if len(plain) == len(folded):
        found += islice(_variants(folded, plain), MOST_READINGS)
    return found[:MOST_READINGS]


def _variants(folded: str, plain: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [
        (*plain[:n], other, *plain[n + 1 :])
        for n, char in enumerate(folded)
        if char in POLYPHONES
        for other in _heard(char)
        if other != plain[n]
    ]


@lru_cache(maxsize=1024)
def _heard(char: str) -> tuple[str, ...]:
    """All readings of one character without tones."""
    from pypinyin import Style, pinyin  # noqa: PLC0415

    return tuple(dict.fromkeys(pinyin(char, style=Style.NORMAL, heteronym=True)[0]))


def _shorter(name: str) -> list[str]:
    """How a division is called for short: `延边` and `延边州`."""
    left = stem(name)
    if left is None:
        return []
    return [left, f"{left}州"] if name.endswith("自治州") else [left]


def _add(found: dict[str, Form], text: str, form: Form) -> None:
    if text:
        found.setdefault(text, form)


def _add_words(found: dict[str, Form], text: str) -> None:
    """The rest of a Latin name from each of its words on, so that a later word finds it too."""
    words = [fold(word) for word in _WORD.findall(unicodedata.normalize("NFKC", text))]
    if not has_han(text):
        for first in range(1, min(len(words), MOST_WORDS + 1)):
            _add(found, "".join(words[first:]), Form.WORD)
