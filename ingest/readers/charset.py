"""Which encoding the texts of a file are in, judged by what they say in it.

The probability of the decoded characters decides: Chinese
text consists almost wholly of the common characters of its script, while bytes read in a wrong encoding fall on rare
ones. The classes of common characters come with the encodings: level 1 of GB 2312 holds the 3,755 most frequent
simplified characters, level 1 of Big5 the 5,401 most frequent traditional ones. The result is a posterior probability
by Bayes' rule, with each character taken as drawn by itself.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import charset_normalizer

from ingest.notes import Notes

CANDIDATES = ("utf-8", "gb18030", "cp950", "cp1252")
"""Encodings that are considered when nothing else decides; GB 18030 contains GBK and GB 2312."""
SURE = 0.8
"""Confidence below which a decision is a warning."""
MOST = 0.99
"""Statistics are never surer than this."""
_PRIOR = {"utf-8": 0.45, "gb18030": 0.45, "cp950": 0.07, "cp1252": 0.03}
_CONTRADICTED = 1e-6
_SAMPLE_CHARACTERS = 20_000
_FOREIGN = ["cp1251", "cp1250", "shift_jis", "euc_kr", "iso8859_1"]
_FREQUENT = (
    "的一是在有中国人大地上下东西南北新老小前后内外门口里省市区县州盟旗镇乡村街道路巷弄号办事处社区居委会组队屯寨堡营"
    "山河江湖海洋岛港湾沟溪泉池塘坝岭坡峰崖谷川原平阳阴水沙石土林木草花果园田耕牧旱住宅商业工矿用地公共管理服务设施"
    "交通运输铁高速机场站城关郊桥头庙寺塔宫王李张刘陈杨赵黄周吴徐孙马朱胡郭何罗家庄子安定宁和永长兴福龙凤金银铜玉白"
    "红青黑清明光华民族自治汉回藏蒙古维尔建设开发农场经济技术产业保税科学教育医院学校一二三四五六七八九十百千万年月日"
)
_FREQUENT_TRADITIONAL = (
    "的一是在有中國人大地上下東西南北新老小前後內外門口里省市區縣州鎮鄉村街道路巷弄號辦事處社區組隊屯寨堡營山河江湖海洋"
    "島港灣溝溪泉池塘壩嶺坡峰崖谷川原平陽陰水沙石土林木草花果園田耕牧旱住宅商業工礦用地公共管理服務設施交通運輸鐵高速機"
    "場站城關郊橋頭廟寺塔宮王李張劉陳楊趙黃周吳徐孫馬朱胡郭何羅家莊子安定寧和永長興福龍鳳金銀銅玉白紅青黑清明光華民族建"
    "設開發農場經濟技術產業學校醫院教育灣仔觀塘沙田屯門荃葵涌埔元朗離島臺北縣桃園竹苗栗彰化投雲嘉義屏蓮一二三四五六七八九十"
)
_ASCII, _HIGH, _SPOILED = 1 / 96, 0x80, 1e-3


@dataclass(frozen=True)
class Decision:
    """An encoding and why it was chosen.

    Attributes:
        encoding: Name that Python's codecs know.
        by: What decided, as the end of a sentence: `as its .cpg file says`.
        confidence: 0 to 1.
    """

    encoding: str
    by: str
    confidence: float

    def note(self, notes: Notes) -> None:
        """Leave a finding `encoding`: information, or a warning when the decision is not sure."""
        message = f"The texts were read as {self.encoding}, {self.by} (confidence {self.confidence:.2f})."
        notes.add("encoding", "info" if self.confidence >= SURE else "warning", message, count=1)


@dataclass(frozen=True)
class _Script:
    """Probability of the characters of a script, by class."""

    classes: tuple[tuple[frozenset[str], float], ...]

    def chance(self, character: str) -> float:
        """Probability of one character outside ASCII."""
        for members, share in self.classes:
            if character in members:
                return share / len(members)
        return _rest(character)


def posterior(values: Iterable[bytes], candidates: Iterable[str] = CANDIDATES) -> dict[str, float]:
    """Probability of each candidate; empty when no value is outside ASCII.

    Args:
        values: Texts as bytes. One that a candidate cannot decode counts as spoiled in it: rare, and of any bytes.
        candidates: Names of encodings.
    """
    sample = _sample(values)
    if not sample:
        return {}
    scores = {encoding: math.log(_PRIOR.get(encoding, 0.01)) + _likelihood(sample, encoding) for encoding in candidates}
    best = max(scores.values())
    weights = {encoding: math.exp(max(score - best, -700.0)) for encoding, score in scores.items()}
    return {encoding: weight / sum(weights.values()) for encoding, weight in weights.items()}


def contradicted(encoding: str, chances: Mapping[str, float]) -> bool:
    """Whether the texts are so improbable in a declared encoding that the declaration is not believed."""
    if not chances or max(chances.values()) < MOST:
        return False
    return chances.get(canonical(encoding), 1.0) < _CONTRADICTED


def canonical(encoding: str) -> str:
    """The candidate that contains an encoding: GB 18030 for GBK, code page 950 for Big5."""
    plain = encoding.lower().replace("_", "-")
    families = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "big5": "cp950", "utf8": "utf-8"}
    return families.get(plain, plain)


def likely_foreign(values: Iterable[bytes]) -> str | None:
    """The encoding of another part of the world that texts are probably in, for the words of a refusal."""
    match = charset_normalizer.from_bytes(b"\n".join(_sample(values)), cp_isolation=_FOREIGN).best()
    return None if match is None else match.encoding


def _sample(values: Iterable[bytes]) -> list[bytes]:
    """Texts outside ASCII, each once: what a column repeats is no further evidence."""
    sample: dict[bytes, None] = {}
    size = 0
    for value in values:
        if value.isascii() or value in sample:
            continue
        sample[value] = None
        size += len(value)
        if size > _SAMPLE_CHARACTERS:
            break
    return list(sample)


def _likelihood(sample: list[bytes], encoding: str) -> float:
    """Logarithm of the probability of texts, under the better of the scripts that an encoding is used for."""
    texts: list[str] = []
    spoiled = 0.0
    for value in sample:
        try:
            texts.append(value.decode(encoding))
        except UnicodeDecodeError:
            spoiled += math.log(_SPOILED) - len(value) * math.log(256)
    return spoiled + _likelihood_of_texts(texts, encoding)


def _likelihood_of_texts(texts: list[str], encoding: str) -> float:
    if encoding not in ("utf-8", "gb18030", "cp950"):
        return sum(_latin(text) for text in texts)
    first, second = (0.05, 0.95) if encoding == "cp950" else (0.75, 0.25)
    scripts = [math.log(first) + _sum(texts, simplified()), math.log(second) + _sum(texts, traditional())]
    if encoding == "utf-8":
        scripts.append(math.log(0.05) + sum(_latin(text) for text in texts))
    return max(scripts)


def _sum(texts: list[str], script: _Script) -> float:
    counts: dict[str, int] = {}
    for text in texts:
        for character in text:
            counts[character] = counts.get(character, 0) + 1
    return sum(
        times * math.log(_ASCII if character.isascii() else script.chance(character))
        for character, times in counts.items()
    )


def _latin(text: str) -> float:
    """Latin text has letters with marks among plain letters and digits; anything else outside ASCII is rare in it."""
    total = 0.0
    for place, character in enumerate(text):
        if ord(character) < _HIGH:
            total += math.log(_ASCII)
            continue
        around = text[max(0, place - 1) : place + 2].replace(character, "")
        at_home = character.isalpha() and any(c.isascii() and c.isalnum() for c in around)
        total += math.log(0.9 / 64 if at_home else 0.02 / 128)
    return total


@lru_cache(maxsize=1)
def simplified() -> _Script:
    """Simplified Chinese, as GB 2312 orders it."""
    return _Script(
        (
            (frozenset(_FREQUENT), 0.35),
            (_codes(range(0xB0, 0xD8), range(0xA1, 0xFF), "gb2312"), 0.60),
            (_codes(range(0xD8, 0xF8), range(0xA1, 0xFF), "gb2312"), 0.03),
            (_PUNCTUATION, 0.015),
        )
    )


@lru_cache(maxsize=1)
def traditional() -> _Script:
    """Traditional Chinese, as Big5 orders it."""
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    return _Script(
        (
            (frozenset(_FREQUENT_TRADITIONAL), 0.35),
            (_codes(range(0xA4, 0xC7), trails, "big5"), 0.60),
            (_codes(range(0xC9, 0xFA), trails, "big5"), 0.03),
            (_PUNCTUATION, 0.015),
        )
    )


_PUNCTUATION = frozenset(
    "，。、；：？！“”‘’（）《》〈〉【】—…·〇　" + "".join(chr(0xFF10 + i) for i in range(10)) + "ＡＢＣＤＥ－．／"
)


def _codes(leads: Iterable[int], trails: Iterable[int], encoding: str) -> frozenset[str]:
    trails = tuple(trails)
    return frozenset("".join(bytes((lead, t)).decode(encoding, "ignore") for lead in leads for t in trails))


@lru_cache(maxsize=70_000)
def _rest(character: str) -> float:
    """Probability of a character that no class names: rare Hanzi, other letters, signs, and what no text has."""
    kind = unicodedata.category(character)
    if kind == "Lo" and unicodedata.name(character, "").startswith("CJK"):
        return 0.003 / 20_000
    if kind in ("Co", "Cn", "Cc", "Cs"):
        return 1e-10
    return 0.002 / 10_000
