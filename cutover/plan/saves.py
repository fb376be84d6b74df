"""Which steps save which names for those after them, where such a name may stand, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cutover.plan.interpolate import NAME
from cutover.plan.nodes import Mapping, Node, Path, Sequence, locate, plain, spell

SAVE_KEY = "save"
GATES_KEY = "gates"
ANOTHER_NAME = "save it under another name"


@dataclass(frozen=True)
class Save:
    """A name, where its key stands, and the step that saves it: ``("phases", "preflight", 0)``."""

    name: str
    path: Path
    step: Path


@dataclass(frozen=True)
class Wrong:
    path: Path
    message: str
    hint: str | None = None


def steps_of(root: Mapping) -> Iterator[tuple[Path, Node]]:
    phases = root.entries["phases"].node if "phases" in root.entries else None
    for phase, entry in phases.entries.items() if isinstance(phases, Mapping) else ():
        for number, step in enumerate(entry.node.items if isinstance(entry.node, Sequence) else ()):
            yield ("phases", phase, number), step


def saves_in(root: Mapping) -> list[Save]:
    """What the steps of a plan save, in the order of the file."""
    return [Save(str(path[-1]), path, place) for place, step in steps_of(root) for path in _saved_by(place, step)]


def own_saves(item: Node) -> list[str]:
    """The names under ``save`` of the mapping itself, as of a request within a step."""
    if not isinstance(item, Mapping) or SAVE_KEY not in item.entries:
        return []
    save = item.entries[SAVE_KEY].node
    names = save.entries if isinstance(save, Mapping) else ()
    return [name for name in names if isinstance(name, str) and NAME.fullmatch(name)]


def wrong_saves(root: Mapping, saves: list[Save]) -> Iterator[Wrong]:
    """Names that are of ``vars``, or saved by two steps; and gates that save."""
    own = root.entries["vars"].node if "vars" in root.entries else None
    first: dict[str, Save] = {}
    for save in saves:
        earlier = first.setdefault(save.name, save)
        if isinstance(own, Mapping) and save.name in own.entries:
            yield Wrong(save.path, f"{save.name!r} is one of vars", ANOTHER_NAME)
        elif earlier is not save and _settings(root, earlier) != _settings(root, save):
            yield Wrong(save.path, f"{save.name!r} is saved by {spell(earlier.step)} already", ANOTHER_NAME)
    for place, step in steps_of(root):
        for path, gate in _gates_of(place, step):
            for saved in _saved_by(path, gate):
                yield Wrong(
                    saved, "a gate saves nothing", "save it in a step before; `refresh` there asks again in time"
                )


def _saved_by(place: Path, step: Node) -> Iterator[Path]:
    for kind, entry in step.entries.items() if isinstance(step, Mapping) else ():
        for name in own_saves(entry.node):
            yield (*place, kind, SAVE_KEY, name)


def _gates_of(place: Path, step: Node) -> Iterator[tuple[Path, Node]]:
    for kind, entry in step.entries.items() if isinstance(step, Mapping) else ():
        gates = entry.node.entries.get(GATES_KEY) if isinstance(entry.node, Mapping) else None
        for number, gate in enumerate(gates.node.items if gates and isinstance(gates.node, Sequence) else ()):
            yield (*place, kind, GATES_KEY, number), gate


def _settings(root: Mapping, save: Save) -> object:
    """What stands beside ``save``."""
    return plain(locate(root, save.path[:-2]).node)
