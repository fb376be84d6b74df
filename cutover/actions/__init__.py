"""Actions by their step type, which is also the name of their file."""

from __future__ import annotations

from cutover.actions.approve import Approve
from cutover.actions.base import Action
from cutover.actions.command import Command
from cutover.actions.shift import Shift
from cutover.actions.wait import Wait
from cutover.actions.watch import Watch

ACTIONS: dict[str, type[Action]] = {
    "shift": Shift,
    "watch": Watch,
    "wait": Wait,
    "approve": Approve,
    "command": Command,
}
