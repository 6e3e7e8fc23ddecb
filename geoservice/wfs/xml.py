"""XML of requests, read without trust: no document types, no entities, no network, and an end to size and depth."""

from __future__ import annotations

from lxml import etree

from geoservice.wfs.words import WfsError

MOST_BYTES = 1_000_000
MOST_ELEMENTS, MOST_DEPTH = 20_000, 60
Element = etree._Element
_FAILED = "OperationParsingFailed"


def read_xml(content: bytes, locator: str | None = None) -> Element:
    """The root of a document.

    Raises:
        WfsError: When it is no XML, has a document type, or is too large.
    """
    if len(content) > MOST_BYTES:
        raise WfsError(f"XML of a request has at most {MOST_BYTES:,} bytes.", _FAILED, locator)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        said = str(error).splitlines()[0][:120] if str(error) else "it cannot be read"
        raise WfsError(f"The request is no well-formed XML: {said}.", _FAILED, locator) from None
    if root.getroottree().docinfo.doctype:
        raise WfsError("XML of a request has no document type.", _FAILED, locator)
    _check_size(root, locator)
    return root


def _check_size(root: Element, locator: str | None) -> None:
    depth = number = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        number += event == "start"
        if depth > MOST_DEPTH or number > MOST_ELEMENTS:
            raise WfsError(
                f"XML of a request has at most {MOST_ELEMENTS:,} elements, {MOST_DEPTH} deep.", _FAILED, locator
            )


def name_of(element: Element) -> str:
    """The local name of an element."""
    return etree.QName(element).localname


def children(element: Element, name: str) -> list[Element]:
    """The children of a local name, whatever their namespace."""
    return [child for child in element if name_of(child) == name]


def text_of(element: Element) -> str:
    """The text of an element."""
    return "".join(element.itertext()).strip()
