"""Formulas over bands: checked against Python's own arithmetic, and against everything that is no formula."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.errors import BadParameter
from tiles.formula import DEEPEST, LONGEST, MOST_OPERATIONS, read_formulas

BANDS = ("red", "nir")
RED, NIR = np.array([1.0, 3.0, 0.5]), np.array([2.0, 5.0, 0.25])
NAMES = {"red": RED, "nir": NIR, "b1": RED, "b2": NIR}
CALLS = {"abs": np.abs, "sqrt": np.sqrt, "max": np.maximum, "min": np.minimum, "where": np.where}


def computed(text: str) -> list[float]:
    formula = read_formulas(text, BANDS, 1)[0]
    return formula.values({1: RED, 2: NIR}).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "(nir - red) / (nir + red)",
        "2.5 * (nir - red) / (nir + 6 * red - 7.5 * b1 + 1)",
        "-red ** 2",
        "2 ** -red ** 2",
        "red - nir - 1",
        "red / nir / 2",
        "- - red",
        "+red * -nir",
        "1e3 * red + .5",
        "where(red > 1, nir, -nir)",
        "(red >= 1) * nir + (red < 1) * 7 + (red == 3) - (nir != 5) + (red <= 0.5)",
        "max(min(red, nir), abs(red - nir)) + sqrt(b2)",
    ],
)
def test_the_grammar_is_that_of_arithmetic(text: str) -> None:
    expected = eval(text, {"__builtins__": {}}, {**NAMES, **CALLS})  # noqa: S307 - the oracle
    assert computed(text) == pytest.approx(np.asarray(expected, dtype=float).tolist())


WRITTEN = st.recursive(
    st.sampled_from(["red", "nir", "b1", "b2", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(" ".join),
        inner.map(lambda t: f"abs({t})"),
    ),
    max_leaves=10,
)


@given(WRITTEN)
def test_any_formula_is_what_python_makes_of_it(text: str) -> None:
    if not {"red", "nir", "b1", "b2"} & set(text.replace("(", " ").replace(")", " ").split()):
        return
    with np.errstate(all="ignore"):
        try:
            expected = eval(text, {"__builtins__": {}}, {**NAMES, **CALLS})  # noqa: S307 - the oracle
        except ZeroDivisionError:
            return
    assert computed(text) == pytest.approx(np.broadcast_to(expected, 3).tolist(), nan_ok=True)


def test_what_cannot_be_computed_is_no_number() -> None:
    assert computed("1 / (red - 3)")[1] == math.inf
    assert math.isnan(computed("sqrt(red - 2)")[0])


def test_several_channels_and_the_bands_they_need() -> None:
    found = read_formulas("red; nir * 2; red + nir", BANDS, 3)
    assert [formula.bands for formula in found] == [(1,), (2,), (1, 2)]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "red.__class__",
        "lambda: red",
        "red if nir else 1",
        "red[0]",
        "[red]",
        "red; nir; red; nir",
        "exec(red)",
        "9 ** 9 ** 9",
        "red nir",
        "red +",
        "(red",
        "red)",
        "",
        "   ",
        "red, nir",
        "min(red)",
        "min(red, nir, 1)",
        "b3",
        "b0",
        "b1000000000",
        "rêd",
        "red & nir",
        "red % 2",
        "red // 2",
        "red := 1",
        "1" * 300 + "* red",
        "red * 1e99999",
        "red\x00",
        "(" * (DEEPEST + 1) + "red" + ")" * (DEEPEST + 1),
        "-" * 300 + "red",
        "abs(" * 50 + "red" + ")" * 50,
        " + ".join(["red"] * (MOST_OPERATIONS + 2)),
        "red + " * 20_000 + "red",
    ],
)
def test_anything_else_is_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(BadParameter) as caught:
        read_formulas(text, BANDS, 3)
    assert time.perf_counter() - started < 0.5
    assert len(caught.value.detail) < 400


def test_the_bounds_are_just_where_they_are_said_to_be() -> None:
    read_formulas("(" * (DEEPEST - 1) + "red" + ")" * (DEEPEST - 1), BANDS, 1)
    read_formulas(" + ".join(["red"] * (MOST_OPERATIONS + 1)), BANDS, 1)
    read_formulas("red".ljust(LONGEST), BANDS, 1)
    with pytest.raises(BadParameter, match=str(LONGEST)):
        read_formulas("red".ljust(LONGEST + 1), BANDS, 1)


def test_a_band_called_like_the_number_of_another_is_meant_by_its_name() -> None:
    assert read_formulas("b2", ("b2", "b1"), 1)[0].bands == (1,)
