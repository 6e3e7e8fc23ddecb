"""The catalogue: all layers and code lists, read once, immutable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from layers.boundary import BoundaryTemplate
from layers.checks import Referential, Within
from layers.codelist import CodeList, read_codelist
from layers.errors import DefinitionError, UnknownLayer
from layers.model import Layer, RasterLayer, VectorLayer, codelists_of
from layers.sources import Address
from layers.strict_yaml import UniqueKeyLoader
from layers.transformation import Transformation, read_transformation

_LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)
_PLACE = re.compile(r"^[a-z][a-z0-9_]*$")
_TEMPLATE = re.compile(r"^[a-z][a-z0-9-]*$")


@dataclass(frozen=True)
class Catalog:
    """Layers by name (the collection id), code lists by id, templates and transformation parameters by name."""

    layers: Mapping[str, Layer] = field(default_factory=dict)
    codelists: Mapping[str, CodeList] = field(default_factory=dict)
    templates: Mapping[str, BoundaryTemplate] = field(default_factory=dict)
    transformations: Mapping[str, Transformation] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Layer]:
        """All layers, by group, order and name."""
        return iter(sorted(self.layers.values(), key=lambda la: (la.group, la.portal.order, la.name)))

    def layer(self, name: str) -> Layer:
        """The layer with this name or `theme/name`.

        Raises:
            UnknownLayer: When there is none.
        """
        found = self.layers.get(name.rpartition("/")[2])
        if found is None or ("/" in name and found.id != name):
            raise UnknownLayer(f"There is no layer {name!r}.", layer=name)
        return found

    def codelist(self, list_id: str) -> CodeList:
        """The code list with this id.

        Raises:
            DefinitionError: When there is none.
        """
        try:
            return self.codelists[list_id]
        except KeyError:
            raise DefinitionError(f"There is no code list {list_id!r}.", list=list_id) from None

    def with_(
        self,
        extra: Iterable[Layer],
        codelists: Iterable[CodeList] = (),
        templates: Mapping[str, BoundaryTemplate] | None = None,
    ) -> Catalog:
        """A new catalogue with more layers; a layer or template replaces one of the same id.

        Raises:
            DefinitionError: When two layers of different themes share a name, or a code list is missing.
        """
        merged, lists = dict(self.layers), dict(self.codelists) | {c.id: c for c in codelists}
        for layer in extra:
            known = merged.get(layer.name)
            if known is not None and known.id != layer.id:
                raise DefinitionError(
                    f"Layers {known.id} and {layer.id} share the name {layer.name}; a name is the collection id and "
                    "must be unique.",
                    layer=layer.id,
                )
            merged[layer.name] = layer
        _check_references(merged, lists)
        return Catalog(merged, lists, {**self.templates, **(templates or {})}, self.transformations)


def read_catalog(extra_dir: Path | None = None) -> Catalog:
    """Read the layers and code lists of the product, then those of an agency's directory.

    Args:
        extra_dir: A directory with `themes/<theme>/<layer>.yaml` and `codes/*.csv`, or None.

    Raises:
        DefinitionError: When a file does not follow the format; the sentence names file and place.
    """
    root = Path(str(resources.files("layers")))
    catalog = read_directory(root, Catalog())
    return catalog if extra_dir is None else read_directory(extra_dir, catalog)


def read_directory(root: Path, base: Catalog) -> Catalog:
    """Read `codes/*.csv`, `themes/*/*.yaml`, `templates/*.yaml`, `transformations/*.yaml` on top of a catalogue."""
    if not root.is_dir():
        raise DefinitionError(f"The layer directory {root} does not exist.", directory=str(root))
    codes = [read_codelist(p) for p in sorted((root / "codes").glob("*.csv"))]
    layers = [read_layer(p) for p in sorted((root / "themes").glob("*/*.yaml"))]
    templates = {p.stem: read_template(p) for p in sorted((root / "templates").glob("*.yaml"))}
    registered = {p.stem: read_transformation(p) for p in sorted((root / "transformations").glob("*.yaml"))}
    merged = base.with_(layers, codes, templates)
    return replace(merged, transformations={**base.transformations, **registered})


def read_layer(path: Path) -> Layer:
    """Read one layer file; its theme is the folder, its name the file's stem.

    Raises:
        DefinitionError: With the file, the place in it and what was expected there.
    """
    place = f"{path.parent.name}/{path.name}"
    if not (_PLACE.match(path.stem) and _PLACE.match(path.parent.name)):
        raise DefinitionError(f"{place}: theme and layer names are lower-case words with underscores", file=place)
    return parse_layer(_mapping(path, place), theme=path.parent.name, name=path.stem)


def read_template(path: Path) -> BoundaryTemplate:
    """Read one template of boundary-point files; its name is the file's stem.

    Raises:
        DefinitionError: With the file, the place in it and what was expected there.
    """
    place = f"{path.parent.name}/{path.name}"
    if not _TEMPLATE.match(path.stem):
        raise DefinitionError(f"{place}: template names are lower-case words with hyphens", file=place)
    try:
        return BoundaryTemplate.model_validate(_mapping(path, place))
    except ValidationError as error:
        raise DefinitionError(f"{place}: {_where(error, 0)}", file=place) from error


def _mapping(path: Path, place: str) -> dict[str, Any]:
    try:
        # The loader derives from SafeLoader: it builds plain values only.
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{place}: not valid YAML in UTF-8: {error}", file=place) from error
    if not isinstance(data, dict):
        raise DefinitionError(f"{place}: the file is a mapping of keys", file=place)
    return data


def _where(error: ValidationError, outer: int) -> str:
    """Places and messages of the first complaints, without the outermost steps of the path."""
    return "; ".join(f"{'.'.join(map(str, e['loc'][outer:])) or 'file'}: {e['msg']}" for e in error.errors()[:5])


def parse_layer(data: Mapping[str, Any], *, theme: str, name: str) -> Layer:
    """Make a layer from the mapping that a layer file holds.

    Raises:
        DefinitionError: With the place in the file and what was expected there.
    """
    try:
        return _LAYER.validate_python({**data, "theme": theme, "name": name})
    except ValidationError as error:
        raise DefinitionError(f"{theme}/{name}.yaml: {_where(error, 1)}", file=f"{theme}/{name}.yaml") from error


def _check_references(layers: Mapping[str, Layer], lists: Mapping[str, CodeList]) -> None:
    for layer in layers.values():
        for list_id in codelists_of(layer):
            if list_id not in lists:
                raise DefinitionError(f"{layer.id}: there is no code list {list_id!r}", layer=layer.id, list=list_id)
        _check_rules(layer, layers)
        owner = getattr(layer, "belongs_to", None)
        if owner is not None and owner.layer not in {la.id for la in layers.values()}:
            raise DefinitionError(f"{layer.id}: belongs to the unknown layer {owner.layer!r}", layer=layer.id)
        for name, mapping in layer.sources.items():
            if mapping.address is not None:
                _check_address(layer, name, mapping.address, layers)


def _check_address(layer: Layer, name: str, address: Address, layers: Mapping[str, Layer]) -> None:
    """A reference layer must exist, have places, and be no more confidential than the layer that it places."""
    reference = next((la for la in layers.values() if la.id == address.layer), None)
    fault: str | None = None
    if not isinstance(layer, VectorLayer) or layer.geometry not in ("point", "any"):
        fault = "an address gives a point, which this layer does not store"
    elif not isinstance(reference, VectorLayer):
        fault = f"there is no vector layer {address.layer!r}"
    elif address.by not in reference.attributes:
        fault = f"{reference.id} has no attribute {address.by!r}"
    elif max(reference.clearance, reference.attributes[address.by].clearance or reference.clearance) > layer.clearance:
        fault = f"{reference.id} is more confidential than the layer that it would place"
    if fault is not None:
        raise DefinitionError(f"{layer.id}: the addresses of source {name!r}: {fault}", layer=layer.id)


def _check_rules(layer: Layer, layers: Mapping[str, Layer]) -> None:
    """Check that rules about other layers name a layer and an attribute that exist."""
    known = {la.id: la for la in layers.values()}
    for rule in () if isinstance(layer, RasterLayer) else layer.rules():
        if not isinstance(rule, Referential | Within):
            continue
        other = known.get(rule.layer)
        place = f"{layer.id}: check {rule.rule}"
        if other is None or isinstance(other, RasterLayer):
            raise DefinitionError(f"{place} names {rule.layer!r}, which is no layer of rows.", layer=layer.id)
        if isinstance(rule, Within) and not isinstance(other, VectorLayer):
            raise DefinitionError(f"{place} names {rule.layer!r}, which has no surfaces.", layer=layer.id)
        if rule.by is not None and rule.by not in other.attributes:
            raise DefinitionError(f"{place} names the unknown attribute {rule.by!r} of {rule.layer}.", layer=layer.id)
