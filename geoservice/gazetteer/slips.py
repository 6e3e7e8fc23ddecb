"""Texts that somebody may have meant who made one slip of the keyboard. Pure.

A slip is a letter left out, one too many, a wrong one, or two neighbours swapped (Damerau, "A technique for computer
detection and correction of spelling errors", CACM 7(3), 1964). All texts one slip away are looked up in the index of
terms at once: the time depends on the length of the text, not on how many names there are.
"""

from __future__ import annotations

from string import ascii_lowercase

LONGEST = 24
"""Letters up to which slips are undone one by one; of longer texts the number of possible slips grows too large."""


def slips(text: str) -> list[str]:
    """All texts from which a text comes by one slip, in the order of the index; none for long ones.

    Args:
        text: Folded, in plain ASCII.
    """
    if not text or len(text) > LONGEST:
        return []
    found: set[str] = set()
    for n in range(len(text) + 1):
        head, tail = text[:n], text[n:]
        found.update(head + letter + tail for letter in ascii_lowercase)
        if tail:
            found.add(head + tail[1:])
            found.update(head + letter + tail[1:] for letter in ascii_lowercase)
            found.add(head + tail[1:2] + tail[:1] + tail[2:])
    return sorted(found - {text, ""})
