"""Documents with alerts: read safely, checked against the order of elements, turned into values and back.

A document is one alert, or an envelope (Atom, EDXL-DE) with some. Document types, entities, networks and included files
play no part: a document that declares a type is refused, and no address in it is ever followed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from lxml import etree
from pydantic import ValidationError

from geoservice.alerts.errors import AlertRefused
from layers.cap import NAMESPACES, Alert, Area, Info, Named, Part, Resource

MOST_ALERTS = 1_000
MOST_DEPTH = 40
DSIG = "http://www.w3.org/2000/09/xmldsig#"
_MOST_FAULTS = 20
_VERSIONS = {namespace: version for version, namespace in NAMESPACES.items()}
_PARTS: dict[str, type[Part]] = {
    "info": Info,
    "resource": Resource,
    "area": Area,
    "eventCode": Named,
    "parameter": Named,
    "geocode": Named,
}
_EMPTY = frozenset({"value", "valueName"})
"""Elements whose emptiness says something; other empty ones are as if they were not there."""
Element: TypeAlias = Any


@dataclass(frozen=True)
class Parcel:
    """One alert of a document.

    Attributes:
        element: Its element, alone in a tree of its own.
        xml: Its bytes: those of the document where it is the whole of it.
        version: Version of CAP.
        digest: Digest of its content; see `digest_of`.
    """

    element: Element
    xml: bytes
    version: str
    digest: str


def parcels(content: bytes) -> tuple[Parcel, ...]:
    """The alerts of a document, in their order.

    Raises:
        AlertRefused: When it is no XML, declares a document type, is nested too deeply, or holds no or too many alerts.
    """
    root = parsed(content)
    found = [root] if _version(root) else list(_inside(root))
    if not found:
        raise AlertRefused("The document holds no alert of CAP 1.1 or 1.2.")
    if len(found) > MOST_ALERTS:
        raise AlertRefused(f"A document holds at most {MOST_ALERTS} alerts; this one holds {len(found)}.")
    return tuple(_parcel(one, content if one is root else None) for one in found)


def read(parcel: Parcel) -> Alert:
    """The values of an alert.

    Raises:
        AlertRefused: When it does not follow the standard; `faults` names each place and what is wrong there.
    """
    schema = _schema(parcel.version)
    if not schema.validate(parcel.element):
        faults = [f"line {entry.line}: {entry.message}" for entry in schema.error_log]
        raise _refusal(list(dict.fromkeys(faults)))
    return checked(_plain(parcel.element, Alert))


def checked(values: dict[str, Any]) -> Alert:
    """An alert of plain values.

    Raises:
        AlertRefused: See `read`.
    """
    try:
        return Alert.model_validate(values)
    except ValidationError as error:
        raise _refusal([_fault(one) for one in error.errors(include_url=False, include_input=False)]) from None


def written(alert: Alert) -> Element:
    """An alert as an element of CAP 1.2.

    Raises:
        AlertRefused: When a text holds characters that XML cannot hold.
    """
    try:
        return _element("alert", alert, {None: NAMESPACES["1.2"]})
    except ValueError:
        raise AlertRefused("A text of the alert holds control characters, which XML cannot hold.") from None


def parsed(content: bytes) -> Element:
    """The root of a document.

    Raises:
        AlertRefused: When it is no XML, declares a document type, or is nested too deeply.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        said = str(error).splitlines()[0][:120] if str(error) else "it cannot be read"
        raise AlertRefused(f"The document is no well-formed XML: {said}.") from None
    if root.getroottree().docinfo.doctype:
        raise AlertRefused("The document declares a document type; such XML is not read.")
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MOST_DEPTH:
            raise AlertRefused(f"The document is nested deeper than {MOST_DEPTH} levels.")
    return root


def as_bytes(element: Element) -> bytes:
    """An element as a document in UTF-8."""
    found: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return found


def digest_of(element: Element) -> str:
    """SHA-256 of what an alert says: without signatures, comments, prefixes, and spaces around texts.

    Canonical XML 2.0 with `TrimTextNodes` and `PrefixRewrite`. The same message in another envelope, or written by
    another program, has the same digest.
    """
    signature = f"{{{DSIG}}}Signature"
    text = etree.canonicalize(element, strip_text=True, rewrite_prefixes=True, exclude_tags=[signature])
    return hashlib.sha256(text.encode()).hexdigest()


def _version(element: Element) -> str | None:
    if not isinstance(element.tag, str):
        return None
    name = etree.QName(element)
    return _VERSIONS.get(name.namespace or "") if name.localname == "alert" else None


def _inside(root: Element) -> Iterator[Element]:
    for element in root.iter():
        if _version(element) and not any(_version(above) for above in element.iterancestors()):
            yield element


def _parcel(element: Element, content: bytes | None) -> Parcel:
    # Written and read again, an alert of an envelope stands alone, with the namespaces that it needs.
    alone = element if content is not None else deepcopy(element)
    alone.tail = None
    xml = content if content is not None else as_bytes(alone)
    version = _VERSIONS[str(etree.QName(element).namespace)]
    return Parcel(alone, xml, version, digest_of(alone))


@cache
def _schema(version: str) -> etree.RelaxNG:
    tree = etree.fromstring((resources.files("geoservice.alerts") / "cap.rng").read_bytes())
    tree.set("ns", NAMESPACES[version])
    return etree.RelaxNG(tree)


def _plain(element: Element, model: type[Part]) -> dict[str, Any]:
    """The children of an element as plain values, by their names; what may stand several times becomes a list."""
    several = {f.alias for f in model.model_fields.values() if "tuple" in str(f.annotation)}
    found: dict[str, Any] = {}
    for child in element.iterchildren(tag=etree.Element):
        name = etree.QName(child).localname
        if etree.QName(child).namespace == DSIG:
            continue
        part = _PARTS.get(name)
        value: Any = _plain(child, part) if part is not None else "".join(child.itertext()).strip()
        if value == "" and name not in _EMPTY:
            continue
        if name in several:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _element(tag: str, part: Part, nsmap: dict[str | None, str] | None = None) -> Element:
    made = etree.Element(f"{{{NAMESPACES['1.2']}}}{tag}", nsmap=nsmap)
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        for one in value if isinstance(value, tuple) else () if value is None else (value,):
            if isinstance(one, Part):
                made.append(_element(str(field.alias), one))
            else:
                child = etree.SubElement(made, f"{{{NAMESPACES['1.2']}}}{field.alias}")
                child.text = str(one)
    return made


def _fault(error: Any) -> str:
    where = " ".join(str(part + 1) if isinstance(part, int) else str(part) for part in error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said


def _refusal(faults: list[str]) -> AlertRefused:
    first = faults[0] if faults else "it is not valid"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return AlertRefused(f"The alert does not follow CAP 1.2: {first}{more}.", faults=faults[:_MOST_FAULTS])
