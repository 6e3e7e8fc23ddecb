"""What a request asks of the feature service, whichever way it was written: by key-value pairs or as XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geoservice.wfs.words import BY_ID, VERSIONS, WfsError, local
from geoservice.wfs.xml import Element, children, name_of, read_xml, text_of
from geoservice.wms.pairs import Pairs, WmsError

_MOST_DIGITS = 9
_MOST_NAMES = 100
VALUES = "GetPropertyValue"
OPERATIONS = (
    "GetCapabilities",
    "DescribeFeatureType",
    "GetFeature",
    VALUES,
    "ListStoredQueries",
    "DescribeStoredQueries",
)
READING = ("GetFeature", VALUES)
"""Those that read features."""


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        operation: One of `OPERATIONS`.
        types: Names of feature types, without prefixes.
        filter: A filter as XML, if there is one.
        bbox: Four numbers and perhaps a CRS, as they were written.
        ids: Ids of features.
        count: Most features; None for the default.
        start: How many features come before the first one wanted.
        hits: Whether only their number is wanted.
        format: Output format as it was written.
        crs: Name of the CRS of the answer.
        properties: Names of properties; all when empty.
        sort: Names of properties to sort by, each with whether it descends.
        stored: Id of a stored query.
        parameters: Parameters of a stored query, by their name in small letters.
        value: Name of the property whose values GetPropertyValue wants; `@gml:id` stands for ids of features.
        pairs: The request as key-value pairs, from which links to other pages are made; empty for XML.
    """

    operation: str
    types: tuple[str, ...] = ()
    filter: Element | None = None
    bbox: str | None = None
    ids: tuple[str, ...] = ()
    count: int | None = None
    start: int = 0
    hits: bool = False
    format: str | None = None
    crs: str | None = None
    properties: tuple[str, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    stored: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    value: str | None = None
    pairs: Mapping[str, str] = field(default_factory=dict)


def by_pairs(items: list[tuple[str, str]]) -> Asked:
    """A request of key-value pairs (09-025r2, 6.2).

    Raises:
        WfsError: When it is not understood.
    """
    pairs = Pairs(items)
    try:
        return _by_pairs(pairs, {name.upper(): value for name, value in items})
    except WmsError as error:
        raise WfsError(error.detail, error.code or "InvalidParameterValue", _first_word(error.detail)) from None


def _by_pairs(pairs: Pairs, plain: dict[str, str]) -> Asked:
    _check_service(pairs.get("SERVICE"))
    operation = _operation(pairs.need("REQUEST"))
    _check_version(operation, pairs.get("VERSION"), pairs.names("ACCEPTVERSIONS"))
    text = pairs.get("FILTER")
    ids = pairs.names("RESOURCEID") or pairs.names("FEATUREID")
    found = Asked(
        operation=operation,
        types=_types(pairs.names("TYPENAMES") or pairs.names("TYPENAME")),
        filter=None if text is None else read_xml(text.encode(), "filter"),
        bbox=pairs.get("BBOX"),
        ids=tuple(ids),
        count=_whole(pairs.get("COUNT") or pairs.get("MAXFEATURES"), "count"),
        start=_whole(pairs.get("STARTINDEX"), "startIndex") or 0,
        hits=_hits(pairs.get("RESULTTYPE")),
        format=pairs.get("OUTPUTFORMAT"),
        crs=pairs.get("SRSNAME"),
        properties=tuple(local(name.strip("()")) for name in pairs.names("PROPERTYNAME") if name.strip("()*")),
        sort=_sorted_by(pairs.get("SORTBY")),
        stored=pairs.get("STOREDQUERY_ID") or pairs.get("STOREDQUERYID"),
        parameters={name.lower(): value for name, value in plain.items()},
        value=pairs.get("VALUEREFERENCE") if operation == VALUES else None,
        pairs=plain,
    )
    return checked(found)


def by_xml(content: bytes) -> Asked:
    """A request as XML (09-025r2, schemas of clause 7 to 15).

    Raises:
        WfsError: When it is not understood.
    """
    root = read_xml(content)
    operation = _operation(name_of(root))
    _check_service(root.get("service"))
    accepted = [text_of(one) for part in children(root, "AcceptVersions") for one in part]
    _check_version(operation, root.get("version"), accepted)
    if operation == "DescribeFeatureType":
        return Asked(operation, _types([text_of(one) for one in children(root, "TypeName")]))
    if operation == "DescribeStoredQueries":
        names = [text_of(one) for one in children(root, "StoredQueryId")]
        return Asked(operation, stored=",".join(names) or None)
    if operation not in READING:
        return Asked(operation)
    return checked(_feature_request(operation, root))


def _feature_request(operation: str, root: Element) -> Asked:
    queries = [one for one in root if name_of(one) in ("Query", "StoredQuery")]
    if len(queries) != 1:
        raise WfsError(f"{operation} has one query.", "OperationProcessingFailed", "query")
    query = queries[0]
    stored = query.get("id") if name_of(query) == "StoredQuery" else None
    if stored is None and name_of(query) == "StoredQuery":
        raise WfsError("A stored query is named by its id.", "MissingParameterValue", "id")
    filters = children(query, "Filter")
    return Asked(
        operation=operation,
        types=_types((query.get("typeNames") or query.get("typeName") or "").replace(",", " ").split()),
        filter=filters[0] if filters else None,
        count=_whole(root.get("count") or root.get("maxFeatures"), "count"),
        start=_whole(root.get("startIndex"), "startIndex") or 0,
        hits=_hits(root.get("resultType")),
        format=root.get("outputFormat"),
        crs=query.get("srsName"),
        properties=tuple(local(text_of(one)) for one in children(query, "PropertyName")),
        sort=tuple(_sort_property(one) for part in children(query, "SortBy") for one in part),
        stored=stored,
        parameters={(one.get("name") or "").lower(): text_of(one) for one in children(query, "Parameter")},
        value=root.get("valueReference") if operation == VALUES else None,
    )


def checked(asked: Asked) -> Asked:
    """A request whose parts do not contradict one another.

    Raises:
        WfsError: When they do.
    """
    if asked.operation not in READING:
        return asked
    ways = [bool(asked.filter is not None), bool(asked.bbox), bool(asked.ids)]
    if sum(ways) > 1:
        raise WfsError("FILTER, BBOX and RESOURCEID exclude one another; give one of them.", "InvalidParameterValue")
    if asked.stored is None and not asked.types and not asked.ids:
        raise WfsError("The parameter typeNames is missing.", "MissingParameterValue", "typeNames")
    if asked.operation == VALUES and not asked.value:
        raise WfsError("The parameter valueReference is missing.", "MissingParameterValue", "valueReference")
    if asked.stored is not None and asked.stored != BY_ID:
        raise WfsError(
            f"There is no stored query {asked.stored[:60]!r}; ListStoredQueries lists those there are.",
            "InvalidParameterValue",
            "storedQuery_Id",
        )
    return asked


def _operation(name: str) -> str:
    found = next((one for one in OPERATIONS if one.lower() == name.lower()), None)
    if found is None:
        raise WfsError(
            f"REQUEST is one of {', '.join(OPERATIONS)}; {name[:40]!r} is not.", "OperationNotSupported", name
        )
    return found


def _check_service(name: str | None) -> None:
    if name is not None and name.upper() != "WFS":
        raise WfsError(f"SERVICE is WFS here; {name[:20]!r} is not.", "InvalidParameterValue", "service")


def _check_version(operation: str, version: str | None, accepted: list[str]) -> None:
    known = " and ".join(VERSIONS)
    if operation == "GetCapabilities":
        if accepted and not set(accepted) & set(VERSIONS):
            raise WfsError(f"This service speaks the versions {known}.", "VersionNegotiationFailed", "AcceptVersions")
        return
    if version is not None and version not in VERSIONS:
        raise WfsError(f"VERSION is one of {known}; {version[:20]!r} is not.", "InvalidParameterValue", "version")


def _types(names: list[str]) -> tuple[str, ...]:
    if len(names) > _MOST_NAMES:
        raise WfsError(f"A request names at most {_MOST_NAMES} feature types.", "InvalidParameterValue", "typeNames")
    return tuple(local(name.strip("()")) for name in names if name.strip("()"))


def _whole(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise WfsError(f"{name} is a whole number; {text[:30]!r} is not.", "InvalidParameterValue", name)
    return int(text)


def _hits(text: str | None) -> bool:
    if text is not None and text.lower() not in ("results", "hits"):
        raise WfsError(f"resultType is results or hits; {text[:30]!r} is not.", "InvalidParameterValue", "resultType")
    return text is not None and text.lower() == "hits"


def _sorted_by(text: str | None) -> tuple[tuple[str, bool], ...]:
    found = []
    for part in (text or "").split(","):
        words = part.replace("+", " ").split()
        if words:
            found.append((local(words[0]), len(words) > 1 and words[1].upper() in ("D", "DESC")))
    return tuple(found)


def _sort_property(element: Element) -> tuple[str, bool]:
    names = [text_of(one) for one in element if name_of(one) in ("ValueReference", "PropertyName")]
    orders = [text_of(one).upper() for one in children(element, "SortOrder")]
    if len(names) != 1:
        raise WfsError("A SortProperty names one property.", "OperationParsingFailed", "sortBy")
    return local(names[0]), orders in (["D"], ["DESC"])


def _first_word(text: str) -> str:
    words = text.split()
    return words[2] if text.startswith("The parameter") else words[0]
