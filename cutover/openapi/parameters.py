"""The parameters of an operation, old's against new's."""

from __future__ import annotations

from collections.abc import Iterator

from cutover.openapi.aspects import Direction
from cutover.openapi.differences import Schemas
from cutover.openapi.operations import Operation, Parameter

# Id, where, message.
Told = tuple[str, str, str]


def parameter_changes(old: Operation, new: Operation, schemas: Schemas) -> Iterator[Told]:
    """Parameters of the path are paired by their place in it, whatever they are called."""
    names = dict(zip(new.variables, old.variables, strict=True))
    ours = {_key(parameter, {}): parameter for parameter in old.parameters}
    theirs = {_key(parameter, names): parameter for parameter in new.parameters}
    for key, parameter in ours.items():
        where = f"{parameter.location} {parameter.name}"
        if key in theirs:
            for id_, place, message in _changed(parameter, theirs[key], schemas):
                yield id_, f"{where}{place}", message
        else:
            yield "parameter-removed", where, "is gone: what a client sends there has no effect"
    for key, parameter in theirs.items():
        if key not in ours:
            id_ = "parameter-added-required" if parameter.required else "parameter-added"
            yield id_, f"{parameter.location} {parameter.name}", f"is new{', and required' * parameter.required}"


def _key(parameter: Parameter, renamed: dict[str, str]) -> tuple[str, str]:
    if parameter.location == "path":
        return "path", renamed.get(parameter.name, parameter.name)
    name = parameter.name.lower() if parameter.location == "header" else parameter.name
    return parameter.location, name


def _changed(old: Parameter, new: Parameter, schemas: Schemas) -> Iterator[Told]:
    if new.required and not old.required:
        yield "parameter-became-required", "", "is required now"
    elif old.required and not new.required:
        yield "parameter-became-optional", "", "is no longer required"
    if new.deprecated and not old.deprecated:
        yield "parameter-deprecated", "", "is deprecated now"
    wire = not (old.media_type or new.media_type)
    if old.media_type != new.media_type:
        message = f"was {old.media_type or 'a plain value'}, is {new.media_type or 'a plain value'}"
        yield "parameter-style-changed", "", message
        return
    if wire and schemas.composed(old.schema, new.schema) and (old.style, old.explode) != (new.style, new.explode):
        yield "parameter-style-changed", "", f"was written in style {_style(old)}, is in style {_style(new)}"
    for difference in schemas.differences(old.schema, new.schema, Direction.REQUEST, wire=wire):
        yield difference.id, _place(difference.path), difference.message


def _place(path: str) -> str:
    """Nothing for the value itself."""
    return "" if path == "$" else f" {path}"


def _style(parameter: Parameter) -> str:
    return f"{parameter.style}{', exploded' if parameter.explode else ''}"
