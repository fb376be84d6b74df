"""Paths into JSON as plans write them, and many of them matched in one walk.

The grammar: ``$`` is the document; ``.name`` or ``["any name"]`` a member; ``.*`` every member; ``[0]`` an item;
``[*]`` or ``[]`` every item; ``..name`` a member at any depth. ``$.results[].taken_at`` is how findings are written,
so that a finding's path can be copied into a plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

# Not as one range up to U+10FFFF: compiling that takes longer than importing the rest of this package.
_PLAIN_NAME = r"(?:[A-Za-z_@$]|[^\x00-\x7f\ud800-\udfff])[\w@$-]*"
_TOKEN = re.compile(
    rf"""(?P<deep>\.\.)(?P<deep_name>{_PLAIN_NAME})
    | \.(?P<name>{_PLAIN_NAME})
    | (?P<any_name>\.\*)
    | \[(?P<quoted>"(?:[^"\\]|\\.)*")\]
    | \['(?P<single>[^'\\]*)'\]
    | (?P<any_item>\[\*?\])
    | \[(?P<index>\d{{1,9}})\]""",
    re.VERBOSE,
)
_PLAIN = re.compile(_PLAIN_NAME)
_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Of a member in a finding's path: names as long as bodies would make paths that are longer than all of them.
MAX_NAME = 500


class Every(Enum):
    """Every member, or every item."""

    NAME = auto()
    ITEM = auto()


ANY_NAME = Every.NAME
ANY_ITEM = Every.ITEM
Segment = str | int | Every


@dataclass(frozen=True)
class JsonPath:
    """A parsed path; ``deep`` holds the positions of segments that match at any depth."""

    text: str
    segments: tuple[Segment, ...] = field(compare=False)
    deep: frozenset[int] = field(default=frozenset(), compare=False)

    @property
    def single(self) -> bool:
        """Whether it names at most one place."""
        return not self.deep and not any(isinstance(s, Every) for s in self.segments)

    @property
    def last_name(self) -> str | None:
        """The last member on the way; ``None`` where any will do."""
        names = [s for s in self.segments if isinstance(s, str)]
        return names[-1] if names else None

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            parse_path, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\$", "examples": ["$.generated_at", "$.results[*].taken_at", "..etag"]}


def quoted(name: str) -> str:
    """A path, or another name, as YAML: no sign in it means more than itself."""
    return "'" + name.replace("'", "''") + "'"


def parse_path(text: object) -> JsonPath:
    """Raise a mistake that points at the part that is no path."""
    if isinstance(text, JsonPath):
        return text
    if not isinstance(text, str) or not text.startswith(("$", "..")):
        raise _mistake(f"{text!r} is not a path; write $.member, $.list[*].member or ..member")
    position = 1 if text.startswith("$") else 0
    segments: list[Segment] = []
    deep: set[int] = set()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _mistake(
                f"{text!r} is not a path from {text[position:]!r} on; "
                'after $ come .name, ["name"], .*, [0], [*] and ..name'
            )
        if match["deep"]:
            deep.add(len(segments))
        segments.append(_segment(match))
        position = match.end()
    return JsonPath(text, tuple(segments), frozenset(deep))


def _segment(match: re.Match[str]) -> Segment:
    if match["any_name"]:
        return ANY_NAME
    if match["any_item"]:
        return ANY_ITEM
    if match["index"]:
        return int(match["index"])
    if match["quoted"]:
        try:
            return str(json.loads(match["quoted"]))
        except ValueError:
            raise _mistake(f"{match['quoted']} is not a quoted name; quote it as JSON does") from None
    return match["name"] or match["deep_name"] or match["single"]


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("json_path", "{message}", {"message": message})


def member(path: str, name: str) -> str:
    """The path of a member, quoted where its name is no plain word, and fit to stand in YAML between '' as it is."""
    if len(name) > MAX_NAME:
        name = name[:MAX_NAME] + "..."
    if _PLAIN.fullmatch(name):
        return f"{path}.{name}"
    # Halves of surrogate pairs, which no file can hold, stay escapes.
    quoted = json.dumps(name, ensure_ascii=_SURROGATE.search(name) is not None).replace("'", "\\u0027")
    return f"{path}[{quoted}]"


T = TypeVar("T")


class _Node(Generic[T]):
    """A place that some path has reached; ``loops`` stays reached on the way down (what follows ``..``)."""

    def __init__(self, *, loops: bool = False) -> None:
        self.loops = loops
        self.steps: dict[Segment, _Node[T]] = {}
        self.below: _Node[T] | None = None
        self.found: list[T] = []


class State(Generic[T]):
    """What the paths say about one place of a document: ``found`` ends here; ``dead`` means nothing ends below.

    There are as many as the paths need, whatever the documents hold: a walk may ask for ``names`` and ``other`` itself.
    """

    def __init__(self, nodes: frozenset[_Node[T]], known: dict[frozenset[_Node[T]], State[T]]) -> None:
        self._nodes = nodes
        self._known = known
        self.found: tuple[T, ...] = tuple(found for node in nodes for found in node.found)
        self.dead = not any(node.steps or node.below for node in nodes)
        self.extra: Any = None

    def name(self, name: str) -> State[T]:
        return self.names.get(name, self.other)

    def item(self, index: int) -> State[T]:
        return self.indexes.get(index, self.items)

    @cached_property
    def names(self) -> dict[str, State[T]]:
        """The members that a path names."""
        return {s: self._after(s, ANY_NAME) for node in self._nodes for s in node.steps if isinstance(s, str)}

    @cached_property
    def other(self) -> State[T]:
        """Every other member."""
        return self._after(ANY_NAME)

    @cached_property
    def indexes(self) -> dict[int, State[T]]:
        """The items that a path counts."""
        return {s: self._after(s, ANY_ITEM) for node in self._nodes for s in node.steps if isinstance(s, int)}

    @cached_property
    def items(self) -> State[T]:
        """Every other item."""
        return self._after(ANY_ITEM)

    def _after(self, *segments: Segment) -> State[T]:
        reached = {node.steps[segment] for node in self._nodes for segment in segments if segment in node.steps}
        return _state(reached | {node for node in self._nodes if node.loops}, self._known)


def _state(nodes: Iterable[_Node[T]], known: dict[frozenset[_Node[T]], State[T]]) -> State[T]:
    reached: set[_Node[T]] = set()
    for node in nodes:
        reached.add(node)
        if node.below is not None:
            reached.add(node.below)
    key = frozenset(reached)
    if key not in known:
        known[key] = State(key, known)
    return known[key]


def compile_paths(paths: Iterable[tuple[JsonPath, T]]) -> State[T]:
    """The state at ``$`` for paths with something to say at their end."""
    root: _Node[T] = _Node()
    for path, found in paths:
        node = root
        for position, segment in enumerate(path.segments):
            if position in path.deep:
                if node.below is None:
                    node.below = _Node(loops=True)
                node = node.below
            node = node.steps.setdefault(segment, _Node())
        node.found.append(found)
    return _state([root], {})


def lookup(document: Any, path: JsonPath) -> Any:
    """The value at a path that names one place; raises ``KeyError`` where there is none."""
    for segment in path.segments:
        named = isinstance(segment, str) and isinstance(document, dict) and segment in document
        counted = isinstance(segment, int) and isinstance(document, list) and segment < len(document)
        if not (named or counted):
            raise KeyError(path.text)
        document = document[segment]
    return document
