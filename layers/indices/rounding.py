"""Numbers as the standards compare them: decimal, rounded half to even (GB/T 8170)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal


def exact(value: float) -> Decimal:
    """A number as it is written; binary fractions would put 0.15 beside its limit."""
    return Decimal(repr(float(value)))


def rounded(value: float, decimals: int) -> Decimal:
    """A number at so many decimals, half to even (GB/T 8170-2008)."""
    number = exact(value)
    # What has fewer decimals stays as it is: quantising a huge number would exceed the precision.
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -decimals:
        return number
    return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
