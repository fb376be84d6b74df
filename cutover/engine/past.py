"""What was: the runs of a plan as the journal has them. Changes nothing, and needs no plan that loads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cutover.engine.opening import Options, named
from cutover.engine.session import fold_run
from cutover.engine.state import RunState
from cutover.errors import UsageError
from cutover.journal import SqliteJournal, open_journal
from cutover.journal.base import Recorded

SUGGESTIONS = 3


@dataclass(frozen=True)
class Past:
    """The history of one plan; ``journal`` is None where nothing ever ran."""

    plan: str
    journal: SqliteJournal | None

    def runs(self) -> list[str]:
        """Oldest first."""
        return self.journal.runs(self.plan) if self.journal is not None else []

    def state(self, run: str) -> RunState:
        return fold_run(self.journal, self.plan, run) if self.journal is not None else RunState(run=run)

    def states(self) -> list[RunState]:
        return [self.state(run) for run in self.runs()]

    def events(self, run: str) -> Iterator[Recorded]:
        return self.journal.events(self.plan, run) if self.journal is not None else iter(())

    def folder(self, run: str) -> Path | None:
        """Where the run's artifacts are."""
        return self.journal.folder.run(run) if self.journal is not None else None

    def choose(self, run: str | None) -> str:
        """The run that is meant: by its name, by what its name alone begins or ends with, or the last one."""
        runs = self.runs()
        if not runs:
            raise UsageError(f"plan {self.plan} has no runs yet", "`cutover run` opens one")
        if run is None:
            return runs[-1]
        if run in runs:
            return run
        alike = [known for known in runs if run and (known.startswith(run) or known.endswith(run))]
        if len(alike) == 1:
            return alike[0]
        if alike:
            raise UsageError(
                f"{run!r} could be {len(alike)} runs", f"the last ones are {', '.join(alike[-SUGGESTIONS:])}"
            )
        close = get_close_matches(run, runs, n=SUGGESTIONS)
        hint = f"did you mean {', '.join(close)}?" if close else f"the last ones are {', '.join(runs[-SUGGESTIONS:])}"
        raise UsageError(f"plan {self.plan} has no run {run!r}", f"{hint}; `cutover history` lists all")


def past(options: Options) -> Past:
    """Open the journal to be read."""
    name = named(options, wreck=True)
    return Past(name, open_journal(options.store, name, create=False))
