"""From a document's mapping to its operations; what has the wrong shape is told with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_args

from cutover.openapi.errors import DocumentError, escape
from cutover.openapi.operations import Body, Location, Media, Operation, Parameter, Reply, Schema
from cutover.openapi.refs import References
from cutover.openapi.servers import base_paths
from cutover.openapi.templates import VARIABLE

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

# RFC 9110's own: the specification says that such parameters are to be ignored.
_NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
_LOCATIONS = get_args(Location)
_KINDS = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false"}


class Parsing:
    """One document called ``name``, read from ``path``."""

    def __init__(self, name: str, data: dict[str, Any], references: References, path: str) -> None:
        self.name = name
        self.data = data
        self.references = references
        self.path = path

    def operations(self) -> Iterator[Operation]:
        paths = self._child(self.data, "paths", dict, "")
        for template, raw in paths.items():
            pointer = f"/paths/{escape(template)}"
            if template.startswith("x-"):
                continue
            if not template.startswith("/"):
                raise DocumentError(self.name, "a path begins with /", pointer)
            item = self.references.resolve(self._is(raw, dict, pointer))
            for method in METHODS:
                if method in item:
                    raw_operation = self._is(item[method], dict, f"{pointer}/{method}")
                    yield self._operation(method, template, item, raw_operation, f"{pointer}/{method}")

    def _operation(
        self, method: str, template: str, item: dict[str, Any], raw: dict[str, Any], pointer: str
    ) -> Operation:
        servers = raw.get("servers") or item.get("servers") or self.data.get("servers")
        above = pointer.rpartition("/")[0]
        parameters = {
            **self._parameters(item, above), **self._parameters(raw, pointer),
        }  # fmt: skip
        for name in VARIABLE.findall(template):
            parameters.setdefault(("path", name), Parameter(name, "path", required=True, style="simple", explode=False))
        return Operation(
            method=method.upper(),
            template=base_paths(servers, self.path)[0] + template,
            id=self._child(raw, "operationId", str, pointer),
            parameters=tuple(parameters.values()),
            body=self._body(raw["requestBody"], f"{pointer}/requestBody") if "requestBody" in raw else None,
            replies=tuple(self._replies(raw, pointer)),
            deprecated=raw.get("deprecated") is True,
            security=self._security(raw, pointer),
            pointer=pointer,
        )

    def _parameters(self, holder: dict[str, Any], pointer: str) -> dict[tuple[str, str], Parameter]:
        found: dict[tuple[str, str], Parameter] = {}
        for number, listed in enumerate(self._child(holder, "parameters", list, pointer)):
            place = f"{pointer}/parameters/{number}"
            raw = self.references.resolve(self._is(listed, dict, place))
            # A reference that can't be followed says nothing; the document's notes name it.
            if not raw and "$ref" in listed:
                continue
            parameter = self._parameter(raw, place)
            folded = parameter.name.lower() if parameter.location == "header" else parameter.name
            if parameter.location != "header" or folded not in _NOT_PARAMETERS:
                found[parameter.location, folded] = parameter
        return found

    def _parameter(self, raw: dict[str, Any], pointer: str) -> Parameter:
        name, location = raw.get("name"), raw.get("in")
        if not isinstance(name, str):
            raise DocumentError(self.name, "a parameter without a name", pointer)
        if location not in _LOCATIONS:
            known = ", ".join(_LOCATIONS)
            raise DocumentError(self.name, f"a parameter is in one of {known}, not {str(location)[:40]!r}", pointer)
        return self._described(name, cast("Location", location), raw, pointer)

    def _described(self, name: str, location: Location, raw: dict[str, Any], pointer: str) -> Parameter:
        """What a parameter and a header have in common."""
        content = self._media(raw, pointer)
        media_type, media = next(iter(content.items()), ("", Media(self._schema(raw), self._examples(raw))))
        style = self._child(raw, "style", str, pointer) or ("form" if location in {"query", "cookie"} else "simple")
        explode = raw.get("explode")
        return Parameter(
            name=name,
            location=location,
            required=raw.get("required") is True or location == "path",
            schema=media.schema,
            examples=media.examples,
            style=style,
            explode=explode if isinstance(explode, bool) else style == "form",
            deprecated=raw.get("deprecated") is True,
            media_type=media_type,
        )

    def _body(self, raw: Any, pointer: str) -> Body:
        body = self.references.resolve(self._is(raw, dict, pointer))
        return Body(body.get("required") is True, self._media(body, pointer))

    def _replies(self, raw: dict[str, Any], pointer: str) -> Iterator[Reply]:
        for status, listed in self._child(raw, "responses", dict, pointer).items():
            place = f"{pointer}/responses/{escape(status)}"
            if status.startswith("x-"):
                continue
            reply = self.references.resolve(self._is(listed, dict, place))
            headers = self._child(reply, "headers", dict, place)
            links = self._child(reply, "links", dict, place)
            yield Reply(
                status=status.upper() if status != "default" else status,
                media=self._media(reply, place),
                headers={name: self._header(name, header, place) for name, header in headers.items()},
                links={name: self.references.resolve(link) for name, link in links.items()},
            )

    def _header(self, name: str, raw: Any, pointer: str) -> Parameter:
        header = self.references.resolve(self._is(raw, dict, f"{pointer}/headers/{escape(name)}"))
        return self._described(name, "header", header, f"{pointer}/headers/{escape(name)}")

    def _media(self, holder: dict[str, Any], pointer: str) -> dict[str, Media]:
        content = self._child(holder, "content", dict, pointer)
        media: dict[str, Media] = {}
        for media_type, listed in content.items():
            raw = self.references.resolve(self._is(listed, dict, f"{pointer}/content/{escape(media_type)}"))
            media[media_type.strip().lower()] = Media(self._schema(raw), self._examples(raw))
        return media

    def _schema(self, holder: dict[str, Any]) -> Schema:
        schema = holder.get("schema")
        return {"not": {}} if schema is False else schema if isinstance(schema, dict) else {}

    def _examples(self, holder: dict[str, Any]) -> tuple[Any, ...]:
        found = [holder["example"]] if "example" in holder else []
        named = holder.get("examples")
        for listed in named.values() if isinstance(named, dict) else ():
            example = self.references.resolve(listed)
            found += [example[key] for key in ("value", "dataValue") if key in example][:1]
        return tuple(found)

    def _security(self, raw: dict[str, Any], pointer: str) -> tuple[dict[str, tuple[str, ...]], ...]:
        holder, place = (raw, pointer) if "security" in raw else (self.data, "")
        alternatives = []
        for number, listed in enumerate(self._child(holder, "security", list, place)):
            schemes = self._is(listed, dict, f"{place}/security/{number}")
            alternatives.append({
                name: tuple(str(scope) for scope in scopes) if isinstance(scopes, list) else ()
                for name, scopes in schemes.items()
            })  # fmt: skip
        return tuple(alternatives)

    def _child(self, holder: dict[str, Any], key: str, kind: type[Any], pointer: str) -> Any:
        """A member of the right kind; the empty one where there is none."""
        value = holder.get(key)
        return kind() if value is None else self._is(value, kind, f"{pointer}/{escape(key)}")

    def _is(self, value: Any, kind: type[Any], pointer: str) -> Any:
        if not isinstance(value, kind):
            raise DocumentError(self.name, f"is {_kind(value)}, where {_KINDS[kind]} belongs", pointer)
        return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "nothing" if value is None else "a number")
