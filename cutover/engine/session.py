"""One command's hold on a run: its plan, its journal, its proxy, and who listens."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol

from cutover.artifacts import Artifacts
from cutover.engine import events as e
from cutover.engine import fold
from cutover.engine import state as run_state
from cutover.engine.lease import Leasing
from cutover.engine.state import RunState
from cutover.engine.variables import Variables
from cutover.errors import CutoverError, LockedError
from cutover.journal import MemoryJournal, exclusive
from cutover.journal.base import Journal, Recorded
from cutover.paths import StateFolder
from cutover.plan import LoadedPlan
from cutover.plan.model import Plan
from cutover.proxy import NginxProxy
from cutover.proxy.base import Intent, Live
from cutover.redact import redact_data

if TYPE_CHECKING:
    from cutover.traffic.observer import Observer

LOG_TAIL_LINES = 200


class InterruptedRunError(CutoverError):
    """A signal ended the command; ``exit_code`` is 128 plus its number."""

    def __init__(self, signum: int, message: str) -> None:
        super().__init__(message)
        self.signum = signum
        self.exit_code = 128 + signum  # type: ignore[misc]


class Sink(Protocol):
    """A consumer of events: console, reports, notifiers. Must not raise."""

    on_lost: Callable[[], None]
    """Called once, from any thread, when nobody can read the events any more."""
    folder_of: Callable[[str], Path] | None
    """Where the artifacts of a run are."""

    def handle(self, recorded: Recorded, event: e.Event, state: RunState) -> None: ...

    def close(self) -> None:
        """Nothing follows; called once the command has ended, however it did."""
        ...


@dataclass
class Session:
    """Everything a command needs to work on a run. ``epoch`` is the lock's, None where no lock could be had."""

    name: str
    journal: Journal
    folder: StateFolder
    proxy: NginxProxy
    loaded: LoadedPlan | None
    epoch: int | None
    command: str
    sinks: Sequence[Sink] = ()
    force_reason: str | None = None
    state: RunState = field(default_factory=RunState)
    journal_seq: int = 0
    """The number of the last event."""
    signum: int | None = None
    last_resort: bool = False
    """A rollback: what cannot be written down or locked does not stop it."""
    problems: list[str] = field(default_factory=list)
    """What could not be written down, during a rollback that goes on all the same."""
    observed: tuple[object, Observer] | None = None
    """What the proxy saw at the present weight, beside what tells that stay from others; see ``observing``."""

    def __post_init__(self) -> None:
        self.variables = Variables(self.loaded)
        self.lease = Leasing(self)

    @property
    def plan(self) -> Plan:
        if self.loaded is None:
            raise CutoverError("this needs the plan, and the plan does not load", "run `cutover check`")
        return self.loaded.plan

    @property
    def plan_hash(self) -> str:
        return self.loaded.hash if self.loaded else ""

    @property
    def unrecorded(self) -> bool:
        """Whether the store failed in the middle of the work: what happens since is written nowhere, without a lock."""
        return self.epoch is None

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.folder.run(self.state.run or "none"))

    def emit(self, event: e.Event) -> None:
        """Journal an event, fold it, show it. Raises ``LockedError`` where the lock has moved on.

        When the store fails, the event is kept in memory, as are those that follow, and the store's error is raised
        once: the step under way fails, and what follows from that can still be told and done.
        """
        kind, data = e.encode(event)
        trouble: CutoverError | None = None
        if event.passing:
            recorded = Recorded(seq=0, run=self.state.run, at=time.time(), kind=kind, data=redact_data(data))
        else:
            recorded, trouble = self._append(kind, data, event.exact)
            self.state = fold.apply(self.state, recorded)
            self.journal_seq = recorded.seq
        for sink in self.sinks:
            sink.handle(recorded, event, self.state)
        if trouble is not None and not self.last_resort:
            raise trouble

    def _append(
        self, kind: str, data: dict[str, object], exact: frozenset[str]
    ) -> tuple[Recorded, CutoverError | None]:
        trouble: CutoverError | None = None
        try:
            return self.journal.append(self.name, self.state.run, kind, data, epoch=self.epoch, exact=exact), None
        except LockedError:
            raise
        except CutoverError as error:
            trouble = error
        self._go_on_without_store(trouble)
        return self.journal.append(self.name, self.state.run, kind, data, epoch=self.epoch, exact=exact), trouble

    def _go_on_without_store(self, trouble: CutoverError) -> None:
        """From here on events are kept in memory, and no lock goes with them."""
        self.journal = MemoryJournal(self.journal)
        self.epoch = None
        self.problems.append(f"not journalled from here on: {trouble.message}")

    def open_run(self, weight: int, scope: list[str]) -> None:
        """A new run, by this command. ``weight`` is where traffic is now."""
        self.state = RunState(run=new_run_id())
        file = str(self.loaded.file) if self.loaded else ""
        phases = self.plan.forward_phases if self.loaded else []
        new = self.plan.backends.new.servers if self.loaded else []
        self.emit(e.RunOpened(self.plan_hash, file, phases, weight, new, scope))
        self.emit(e.CommandStarted(self.command, os.getpid(), self.plan_hash))
        # A run that was folded once gets snapshots from its journal as it grows.
        fold_run(self.journal, self.name, self.state.run)

    @asynccontextmanager
    async def guard(self, intent: Intent) -> AsyncIterator[None]:
        """Around every change of the proxy: alone, with the lock still ours, and written down before."""
        async with exclusive(self.folder, required=not self.last_resort) as trouble:
            self.artifacts_note(trouble)
            self.artifacts_note(self._keep_config(intent))
            self.emit(
                e.ShiftIntended(
                    weight=intent.weight,
                    revision=intent.revision,
                    from_weight=intent.from_weight,
                    from_revision=intent.from_revision,
                    mode=intent.mode,
                    path=intent.path,
                    previous=intent.previous,
                )
            )
            yield

    def _keep_config(self, intent: Intent) -> str | None:
        if intent.previous is None:
            return None
        return self.artifacts.write(f"configs/{_stamp()}-before-{intent.revision}.conf", intent.previous)

    def keep_config(self, weight: int, text: str) -> None:
        """Keep a configuration as it was put in place."""
        self.artifacts_note(self.artifacts.write(f"configs/{_stamp()}-weight-{weight}.conf", text))

    async def keep_logs(self) -> None:
        """Keep the ends of the proxy's logs; where they can't be had, that is a problem to tell, not an error."""
        try:
            tails = await self.proxy.host.log_tail(LOG_TAIL_LINES)
        except CutoverError as error:
            self.problems.append(f"the proxy's logs were not kept: {error.message}")
            return
        for name, text in tails.items():
            self.artifacts_note(self.artifacts.write(f"logs/{PurePath(name).name}", text))

    def artifacts_note(self, problem: str | None) -> None:
        # Told once: a watch of a day may meet the same one at each evaluation.
        if problem and problem not in self.problems:
            self.problems.append(problem)

    @property
    def expected(self) -> Live:
        """What the journal says should be live."""
        return Live(weight=self.state.weight, revision=self.state.revision)

    def interrupted(self, what: str) -> InterruptedRunError:
        signum = self.signum or signal.SIGINT
        return InterruptedRunError(signum, f"interrupted by {signal.Signals(signum).name}: {what}")


def _stamp() -> str:
    """Sorts files by time within a run."""
    return f"{datetime.now(UTC):%H%M%S.%f}"[:-3]


def new_run_id() -> str:
    """Sorts by time and is unlikely to repeat: ``20260131-235959-1f2e``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def fold_run(journal: Journal, plan: str, run: str) -> RunState:
    return journal.fold(
        plan,
        run,
        RunState(run=run),
        fold.apply,
        version=fold.VERSION,
        dump=run_state.dump,
        load=run_state.load,
    )


def last_state(journal: Journal, plan: str) -> RunState:
    """The state of the plan's last run; an empty one where there was none."""
    runs = journal.runs(plan)
    return fold_run(journal, plan, runs[-1]) if runs else RunState()
