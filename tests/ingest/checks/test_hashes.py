"""Hashes of keys: equal for equal texts wherever they stand, different for different ones."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest.checks import geometry
from ingest.checks.geometry import text_hashes

TEXTS = st.lists(st.none() | st.text(max_size=20) | st.text(alphabet="a\0", min_size=120, max_size=140), max_size=12)


def hashes(texts: list[str | None]) -> list[int]:
    return [int(one) for one in text_hashes(pa.array(texts, pa.string()))]


@given(TEXTS)
def test_a_text_has_one_hash_whatever_stands_beside_it(texts: list[str | None]) -> None:
    together = hashes(texts)
    assert together == [hashes([text])[0] for text in texts]
    assert len(set(together)) == len({text or "" for text in texts})


def test_a_million_similar_keys_do_not_meet() -> None:
    texts = [f"1502240010000000{number:011d}" for number in range(1_000_000)]
    assert len(set(hashes(list(texts)))) == len(texts)


def test_texts_of_any_length_take_little_memory() -> None:
    long = ["x" * 5_000_000, "x" * 5_000_001, "y" * 5_000_000, "short"]
    assert len(set(hashes([*long, *(str(number) for number in range(5_000))]))) == len(long) + 5_000
    # A row that is as wide as the longest text would be the matrix of all rows at that width.
    assert geometry._LONG * 8_000 < 2_000_000


def test_the_hash_is_the_same_on_every_machine() -> None:
    # Readers of the parts of one source may be different machines; these were found on one.
    known = [16294208416658607535, 15490045652543492304, 4670815754767541201, 386026665330131269]
    assert hashes([None, "a", "150224001000000012345678901", "x" * 500]) == known
