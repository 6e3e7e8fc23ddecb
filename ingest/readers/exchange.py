"""How the text formats of land offices are told from other texts: by names of sections, and by the head of VCT."""

from __future__ import annotations

import re

ENCODINGS = ("utf-8", "gb18030")
"""Encodings in which such files arrive; GB 18030 contains GBK."""
SECTION = re.compile(r"^\s*[\[【〔［(（<《]\s*(\S+?)\s*[\]】〕］)）>》]\s*$")
"""A line that names a section, in whatever brackets."""
ATTRIBUTES, COORDINATES = "属性描述", "地块坐标"
_VCT_HEAD = re.compile(rb"^\s*(?:CommentBegin[\s\S]*?CommentEnd\s*)?HeadBegin\s*[\r\n]", re.IGNORECASE)


def looks_like_boundary(head: bytes) -> bool:
    """Whether the first bytes of a text hold one of the section names of boundary-point files."""
    for encoding in ENCODINGS:
        names = {m.group(1) for line in head.decode(encoding, "replace").splitlines() if (m := SECTION.match(line))}
        if names & {ATTRIBUTES, COORDINATES}:
            return True
    return False


def looks_like_vct(head: bytes) -> bool:
    """Whether the first bytes of a text open the head section of a VCT file."""
    return _VCT_HEAD.match(head.removeprefix(b"\xef\xbb\xbf")) is not None
