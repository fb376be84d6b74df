"""The action ``command``: run a program of the user's."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from cutover.actions.base import Action, ActionContext


Argument = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class Command(Action):
    """Run a program, without a shell; a status other than 0 fails. What it prints is kept among the artifacts.

        command: {run: [docker, stop, fastapi]}

    It is not run a second time in one run of the plan, unless it is ``idempotent``.
    """

    run_: list[Argument] = Field(alias="run", min_length=1)
    env: dict[str, Argument] = {}
    cwd: str | None = None
    idempotent: bool = False

    @classmethod
    def from_scalar(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"run": value}

    @field_validator("run_", mode="before")
    @classmethod
    def _no_shell(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        raise PydanticCustomError("command", "{message}", {"message": _as_list(value)})

    @property
    def once(self) -> bool:
        return not self.idempotent

    def summary(self) -> str:
        return shlex.join(self.run_)

    async def run(self, ctx: ActionContext) -> str:
        raise NotImplementedError


def _as_list(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return f"run is a list, there is no shell; write run: [{', '.join(_quoted(w) for w in words)}]"


def _quoted(word: str) -> str:
    plain = word and all(c.isalnum() or c in "._/-=+@" for c in word) and word[0] not in "-=@"
    return word if plain else '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
