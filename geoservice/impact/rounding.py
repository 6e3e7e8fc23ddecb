"""Rounding of parts so that they add up to their rounded total: the method of the largest remainder."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal


def rounded_parts(values: Sequence[float], decimals: int) -> list[float]:
    """Round parts so that they sum to the rounded sum.

    Each is rounded down; the units that are left go to those that lost most, the first of equals first (Hamilton's
    method). No part moves by a whole unit or more.

    Args:
        values: Parts, none negative.
        decimals: Decimal places.
    """
    unit = Decimal(1).scaleb(-decimals)
    exact = [Decimal(value) / unit for value in values]
    whole = [int(one.to_integral_value(ROUND_FLOOR)) for one in exact]
    total = int(sum(exact, Decimal(0)).to_integral_value(ROUND_HALF_UP))
    order = sorted(range(len(exact)), key=lambda n: (whole[n] - exact[n], n))
    for number in order[: total - sum(whole)]:
        whole[number] += 1
    return [float(one * unit) for one in whole]
