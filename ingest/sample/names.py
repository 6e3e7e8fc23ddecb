"""Fictional names in Chinese and in pinyin, none twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIRST = (
    ("柳", "Liu"), ("杨", "Yang"), ("石", "Shi"), ("沙", "Sha"), ("清", "Qing"), ("红", "Hong"), ("金", "Jin"),
    ("银", "Yin"), ("双", "Shuang"), ("三", "San"), ("大", "Da"), ("小", "Xiao"), ("东", "Dong"), ("西", "Xi"),
    ("南", "Nan"), ("北", "Bei"), ("上", "Shang"), ("下", "Xia"), ("新", "Xin"), ("老", "Lao"), ("青", "Qing"),
    ("白", "Bai"), ("黄", "Huang"), ("黑", "Hei"), ("高", "Gao"), ("平", "Ping"), ("安", "An"), ("永", "Yong"),
    ("福", "Fu"), ("玉", "Yu"), ("松", "Song"), ("桃", "Tao"), ("龙", "Long"), ("凤", "Feng"),
)  # fmt: skip
SECOND = (
    ("沟", "gou"), ("湾", "wan"), ("滩", "tan"), ("岭", "ling"), ("坪", "ping"), ("台", "tai"), ("泉", "quan"),
    ("桥", "qiao"), ("井", "jing"), ("槐", "huai"), ("塬", "yuan"), ("梁", "liang"), ("岔", "cha"), ("川", "chuan"),
    ("坝", "ba"), ("庄", "zhuang"), ("口", "kou"), ("岗", "gang"), ("坡", "po"), ("营", "ying"), ("寨", "zhai"),
)  # fmt: skip
RIVER_ENDS = (("河", "he"), ("水", "shui"), ("溪", "xi"))
FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜"
GIVEN = "明华建国文军志勇玉兰秀英春梅海涛晓东永强立新雪松"


@dataclass(frozen=True)
class Name:
    """A name in Chinese and in English (pinyin and a translated ending)."""

    zh: str
    en: str

    def with_ending(self, zh: str, en: str) -> Name:
        """The name with an ending, such as Village."""
        return Name(self.zh + zh, f"{self.en} {en}")


class NameGiver:
    """Gives out names, each once, also when two differ in Chinese but sound the same in pinyin."""

    def __init__(self, chance: np.random.Generator) -> None:
        """Shuffle all possible names."""
        pairs = [Name(a + b, x + y) for a, x in FIRST for b, y in SECOND]
        order = np.argsort(chance.random(len(pairs)), kind="stable")
        self._places = _distinct([pairs[i] for i in order])
        rivers = [Name(a + b, f"{x}{y} River") for a, x in FIRST for b, y in RIVER_ENDS]
        rivers += [Name(a + b + "河", f"{x}{y} River") for a, x in FIRST for b, y in SECOND[:8]]
        order = np.argsort(chance.random(len(rivers)), kind="stable")
        self._rivers = _distinct([rivers[i] for i in order])

    def place(self) -> Name:
        """The next unused name of a place, without an ending."""
        return self._places.pop()

    def river(self) -> Name:
        """The next unused name of a river."""
        return self._rivers.pop()


def _distinct(names: list[Name]) -> list[Name]:
    heard: set[str] = set()
    kept = []
    for name in names:
        if name.en not in heard:
            heard.add(name.en)
            kept.append(name)
    return kept


def surveyors(chance: np.random.Generator, count: int) -> list[str]:
    """Fictional names of people, none twice."""
    pairs = [f + g for f in FAMILY for g in GIVEN]
    order = np.argsort(chance.random(len(pairs)), kind="stable")
    return [pairs[i] for i in order[:count]]
