"""Local ``$ref``s of a document, and the limits within which a document is read at all."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from cutover.openapi.errors import DocumentError

MAX_DEPTH = 200
MAX_NODES = 2_000_000

_ANNOTATIONS = frozenset({
    "title", "description", "summary", "default", "example", "examples", "deprecated", "readOnly", "writeOnly",
    "$comment", "externalDocs", "xml", "nullable",
})  # fmt: skip
_NOWHERE = object()


class References:
    """Follows references within ``root``. With ``siblings`` what stands beside a ``$ref`` counts (OpenAPI 3.1)."""

    def __init__(self, root: dict[str, Any], *, siblings: bool) -> None:
        self._root = root
        self._siblings = siblings
        self._known: dict[str, Any] = {}

    def resolve(self, node: Any) -> dict[str, Any]:
        """A mapping without ``$ref``: chains are followed.

        What leads elsewhere, nowhere or in a circle is ``{}``, which says nothing; so is what is no mapping.
        """
        beside: list[dict[str, Any]] = []
        seen: set[str] = set()
        while isinstance(node, dict) and isinstance(ref := node.get("$ref"), str):
            if self._siblings and len(node) > 1:
                beside.append({key: value for key, value in node.items() if key != "$ref"})
            node = None if ref in seen else self.target(ref)
            seen.add(ref)
        resolved = _mapping(node)
        for own in reversed(beside):
            resolved = _joined(resolved, own)
        return resolved

    def target(self, ref: str) -> Any:
        """What a reference names, which may be a reference again; None where it leads nowhere."""
        if ref not in self._known:
            self._known[ref] = self._lookup(ref)
        found = self._known[ref]
        return None if found is _NOWHERE else found

    def complaint(self, ref: str) -> str:
        """Why a reference is not followed; empty if it is."""
        if not ref.startswith("#"):
            return f"{ref} lies outside the document and was not followed"
        self.target(ref)
        return f"{ref} leads nowhere" if self._known[ref] is _NOWHERE else ""

    def _lookup(self, ref: str) -> Any:
        if ref == "#":
            return self._root
        if not ref.startswith("#/"):
            return _NOWHERE
        node: Any = self._root
        for part in ref[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isascii() and key.isdecimal() and int(key[:9]) < len(node):
                node = node[int(key[:9])]
            else:
                return _NOWHERE
        return node


def _mapping(node: Any) -> dict[str, Any]:
    """A schema may also be true (anything) or false (nothing)."""
    if node is False:
        return {"not": {}}
    return node if isinstance(node, dict) else {}


def _joined(target: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Both hold; what merely describes is the nearer one's."""
    if all(key in _ANNOTATIONS or key not in target for key in own):
        return {**target, **own}
    beside = own.get("allOf")
    return {**own, "allOf": [target, *(beside if isinstance(beside, list) else [])]}


def survey(root: Any, name: str) -> list[str]:
    """Every ``$ref`` in the document, in its order. Raises ``DocumentError`` for one beyond the limits.

    Nodes are counted as often as they are reached: what aliases have multiplied counts multiplied.
    """
    refs: dict[str, None] = {}
    left: list[tuple[Any, int]] = [(root, 0)]
    count = 0
    while left:
        node, depth = left.pop()
        count += 1
        if depth > MAX_DEPTH:
            raise DocumentError(name, f"nested more than {MAX_DEPTH} levels deep")
        if count > MAX_NODES:
            raise DocumentError(name, f"holds more than {MAX_NODES:,} values")
        if isinstance(node, dict):
            for key in node:
                if not isinstance(key, str):
                    raise DocumentError(name, f"a key is a text, not {str(key)[:40]}")
            if isinstance(ref := node.get("$ref"), str):
                refs[ref] = None
            left.extend((value, depth + 1) for value in reversed(node.values()))
        elif isinstance(node, list):
            left.extend((value, depth + 1) for value in reversed(node))
    return list(refs)
