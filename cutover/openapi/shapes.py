"""A schema as a client meets it: spellings that mean the same are the same shape.

``nullable: true``, ``type: [x, "null"]`` and ``anyOf: [x, {type: "null"}]`` are one thing; so are ``const`` and an
``enum`` of one, ``allOf`` and the whole of its parts, ``exclusiveMinimum: 0`` of an integer and ``minimum: 1``.
Titles, descriptions and examples are not part of a shape.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cutover.openapi.bounds import Bounds
from cutover.openapi.keywords import (
    NULL,
    canonical,
    common_types,
    dependent_of,
    discriminator_of,
    enumerated,
    format_of,
    types_of,
)
from cutover.openapi.oddities import not_understood
from cutover.openapi.refs import References

MAX_PARTS = 200
# How many unions within unions are looked through.
MAX_UNIONS = 20
_NOTHING: dict[str, Any] = {"not": {}}


@dataclass(frozen=True, eq=False)
class Shape:
    """``types`` are JSON Schema's without null, None where any is possible. ``values`` are those of an enum, as JSON.

    ``unions`` are lists of schemas of which one holds. ``default`` is JSON, empty where there is none.
    ``dependent`` are properties with one that must be there with them. ``odd`` says what is not understood.
    """

    types: frozenset[str] | None = None
    nullable: bool = False
    format: str = ""
    values: tuple[str, ...] | None = None
    bounds: Bounds = field(default_factory=Bounds)
    pattern: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    closed: bool = False
    additional: Any = None
    items: Any = None
    prefix: tuple[Any, ...] = ()
    unions: tuple[tuple[Any, ...], ...] = ()
    read_only: bool = False
    write_only: bool = False
    default: str = ""
    discriminator: str = ""
    dependent: frozenset[tuple[str, str]] = frozenset()
    odd: str = ""

    @property
    def says_nothing(self) -> bool:
        return self.types is None and self.values is None and not self.unions

    @property
    def scalar(self) -> bool:
        """Whether type and enum are all that it says."""
        return not (
            self.format or self.bounds or self.pattern or self.unions or self.says_nothing or self.odd
            or (self.types or set()) & {"object", "array"}
        )  # fmt: skip


class Shapes:
    """The shapes of one document's schemas, each made once."""

    def __init__(self, references: References) -> None:
        self._references = references
        # With the schema itself: an id is its own only as long as it lives.
        self._known: dict[int, tuple[Any, Shape]] = {}
        self._by_parts: dict[tuple[tuple[int, bool], ...], Shape] = {}
        self._making: set[int] = set()

    def of(self, schema: Any) -> Shape:
        """The same object for the same schema, whichever reference led there."""
        if isinstance(schema, Shape):
            return schema
        schema = self._bare(schema)
        known = self._known.get(id(schema))
        if known is None:
            known = self._known[id(schema)] = (schema, self._made(schema))
        return known[1]

    def name_of(self, schema: Any) -> str:
        """What the document calls a schema that is referred to; empty for one that stands where it is used."""
        ref = schema.get("$ref") if isinstance(schema, dict) else None
        return ref.rpartition("/")[2] if isinstance(ref, str) else ""

    def _bare(self, schema: Any) -> Any:
        """What a plain reference names."""
        seen: set[str] = set()
        while isinstance(schema, dict) and set(schema) == {"$ref"} and isinstance(ref := schema["$ref"], str):
            if ref in seen:
                return None
            seen.add(ref)
            schema = self._references.target(ref)
        return schema

    def _made(self, schema: Any) -> Shape:
        parts = list(self._parts(schema))
        # A list of parts adds nothing of its own: schemas that come to the same parts are one, however they are nested.
        key = tuple((part.source, part.own) for part in parts if part.keywords.keys() - {"allOf"})
        if key not in self._by_parts:
            self._by_parts[key] = _joined(parts)
            self._making.add(id(schema))
            self._by_parts[key] = self._flattened(self._by_parts[key])
            self._making.discard(id(schema))
        return self._by_parts[key]

    def _parts(self, schema: Any) -> Iterator[_Part]:
        """The schema and all that must hold with it; first what it says itself."""
        left = deque([(schema, True)])
        seen: set[int] = set()
        while left and len(seen) < MAX_PARTS:
            node, own = left.popleft()
            bare = self._bare(node)
            if id(bare) in seen:
                continue
            seen.add(id(bare))
            part = _Part(self._references.resolve(bare), id(bare), own=own, odd=not_understood(bare))
            all_of = part.keywords.get("allOf")
            left.extend((inner, False) for inner in (all_of if isinstance(all_of, list) else ()))
            for branches in part.choices():
                kept = tuple(branch for branch in branches if not self._is_null(branch))
                part.nulled = part.nulled or len(kept) < len(branches)
                if len(kept) == 1:
                    left.append((kept[0], False))
                elif kept:
                    part.unions.append(kept)
            yield part

    def _is_null(self, branch: Any) -> bool:
        schema = self._references.resolve(branch)
        kind, enum = schema.get("type"), schema.get("enum")
        if kind in (NULL, [NULL]) or enum == [None]:
            return True
        return "const" in schema and schema["const"] is None

    def _flattened(self, shape: Shape) -> Shape:
        """A union of nothing but types and values is a list of types or of values."""
        if len(shape.unions) != 1 or shape.types is not None or shape.values is not None:
            return shape
        branches = shape.unions[0]
        # A union that leads back to itself, or through very many others, stays one.
        if len(self._making) > MAX_UNIONS or any(id(self._bare(branch)) in self._making for branch in branches):
            return shape
        inner = [self.of(branch) for branch in branches]
        listed = [branch.values for branch in inner if branch.values is not None]
        if not all(branch.scalar for branch in inner) or 0 < len(listed) < len(inner):
            return shape
        return replace(
            shape,
            types=frozenset(kind for branch in inner for kind in branch.types or ()),
            nullable=shape.nullable or any(branch.nullable for branch in inner),
            values=tuple(sorted({value for values in listed for value in values})) if listed else None,
            unions=(),
        )


class _Part:
    """One mapping of keywords, and what its unions leave. ``own``: the schema itself, not one that it builds on."""

    def __init__(self, keywords: dict[str, Any], source: int, *, own: bool, odd: str) -> None:
        self.keywords = keywords
        self.odd = odd
        self.source = source
        self.own = own
        self.nulled = False
        self.unions: list[tuple[Any, ...]] = []
        self.values = enumerated(keywords)
        self.types = types_of(keywords, self.values)

    def choices(self) -> list[list[Any]]:
        return [branches for key in ("anyOf", "oneOf") if isinstance(branches := self.keywords.get(key), list)]

    def nullable(self) -> bool | None:
        """None where it says nothing of it."""
        kind, enum = self.keywords.get("type"), self.keywords.get("enum")
        if (
            self.nulled
            or self.keywords.get("nullable") is True
            or (kind == NULL or (isinstance(kind, list) and NULL in kind))
            or (isinstance(enum, list) and None in enum)
        ):
            return True
        if self.keywords.get("nullable") is False or self.types is not None or self.unions:
            return False
        return None


def _joined(parts: list[_Part]) -> Shape:
    """What holds if all parts hold."""
    keywords = [part.keywords for part in parts]
    types = common_types(part.types for part in parts)
    listed = [frozenset(part.values) for part in parts if part.values is not None]
    bounds, width = Bounds.joined(keywords, integer=types == frozenset({"integer"}))
    said = next((str(k["format"]) for k in keywords if isinstance(k.get("format"), str)), "")
    additional = [k["additionalProperties"] for k in keywords if "additionalProperties" in k]
    defaults = [canonical(k["default"]) for k in keywords if k.get("default") is not None]
    return Shape(
        types=types,
        nullable=_nullable(parts),
        format=format_of(keywords, said) or width,
        values=tuple(sorted(frozenset.intersection(*listed))) if listed else None,
        bounds=bounds,
        pattern=next((k["pattern"] for k in keywords if isinstance(k.get("pattern"), str)), ""),
        properties=_properties(keywords),
        required=frozenset(
            name
            for k in keywords
            if isinstance(k.get("required"), list)
            for name in k["required"]
            if isinstance(name, str)
        ),
        closed=False in additional or any(k.get("unevaluatedProperties") is False for k in keywords),
        additional=_all_of([schema for schema in additional if isinstance(schema, dict)]),
        items=_all_of(
            [_NOTHING if k["items"] is False else k["items"] for k in keywords if _is_schema(k.get("items"))]
        ),
        prefix=next((tuple(k["prefixItems"]) for k in keywords if isinstance(k.get("prefixItems"), list)), ()),
        unions=tuple(union for part in parts for union in part.unions),
        read_only=any(k.get("readOnly") is True for k in keywords),
        write_only=any(k.get("writeOnly") is True for k in keywords),
        default=next(iter(defaults), ""),
        discriminator=next((name for k in keywords if (name := discriminator_of(k))), ""),
        dependent=frozenset(pair for k in keywords for pair in dependent_of(k)),
        odd="; ".join(dict.fromkeys(part.odd for part in parts if part.odd)),
    )


def _is_schema(items: Any) -> bool:
    return isinstance(items, dict) or items is False


def _nullable(parts: list[_Part]) -> bool:
    """Generators write ``nullable`` beside an ``allOf`` and mean the whole of it."""
    said = [(part.own, nullable) for part in parts if (nullable := part.nullable()) is not None]
    if (True, True) in said:
        return True
    return all(nullable for _, nullable in said)


def _properties(keywords: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for k in keywords:
        properties = k.get("properties")
        for name, schema in properties.items() if isinstance(properties, dict) else ():
            if not any(schema is same or schema == same for same in found.get(name, ())):
                found.setdefault(name, []).append(schema)
    return {name: _all_of(schemas) for name, schemas in found.items()}


def _all_of(schemas: list[Any]) -> Any:
    if len(schemas) < 2:  # noqa: PLR2004 - one needs no list
        return schemas[0] if schemas else None
    return {"allOf": schemas}
