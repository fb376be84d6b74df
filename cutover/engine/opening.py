"""From a plan's name to a session: journal, lock, plan, proxy, signals; and back out again, whatever happened."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cutover.engine import events as e
from cutover.engine.phases import back_after_defect
from cutover.engine.registry import STEP_TYPES
from cutover.engine.session import InterruptedRunError, Session, Sink, last_state
from cutover.engine.shifting import recover
from cutover.errors import EXIT_DEFECT, EXIT_UNSAFE, CutoverError, LockedError, PlanError, UsageError
from cutover.journal import MemoryJournal, PlanLock, known_plans, open_journal
from cutover.journal.base import Holder, Journal
from cutover.journal.store import locate
from cutover.paths import StateFolder
from cutover.plan import LoadedPlan, load_plan, peek_name
from cutover.proxy import NginxProxy, ProxySpec, emergency, open_proxy

HANDLED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """What every command was given."""

    plan_file: Path
    store: str | None = None
    templates: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    sinks: Sequence[Sink] = ()
    force_reason: str | None = None

    def load(self) -> LoadedPlan:
        return load_plan(self.plan_file, STEP_TYPES, self.environ)

    def state_folder(self, name: str) -> StateFolder:
        """Where the plan's state is or would be."""
        return locate(self.store, name).folder


class DefectError(CutoverError):
    """A defect of cutover itself. 70 when traffic is known to be safe, else 5."""

    def __init__(self, cause: BaseException, *, safe: bool) -> None:
        where = "traffic is safe" if safe else "traffic could not be brought to a verified safe state"
        super().__init__(f"a defect of cutover: {type(cause).__name__}: {cause}; {where}")
        self.exit_code = EXIT_DEFECT if safe else EXIT_UNSAFE  # type: ignore[misc]


Work = Callable[[Session], Awaitable[None]]


async def work_on(options: Options, command: str, work: Work) -> Session:
    """Run ``work`` on the plan's open run, or on none, under the plan's lock."""
    name = named(options)
    if open_journal(options.store, name, create=False) is None:
        # Nobody can hold a lock in a store that is not there: a mistake is told before anything is made.
        options.load()
    journal = open_journal(options.store, name)
    lock = PlanLock(journal, name, command)
    lock.acquire()
    try:
        loaded = options.load()
        proxy = open_proxy(ProxySpec.of(loaded.plan), journal.folder, options.templates)
        session = Session(
            name=name,
            journal=journal,
            folder=journal.folder,
            proxy=proxy,
            loaded=loaded,
            epoch=lock.epoch,
            command=command,
            sinks=options.sinks,
            force_reason=options.force_reason,
            state=last_state(journal, name),
        )
        async with _attended(session, lock):
            await _run(session, work, lock.took_over)
        return session
    finally:
        lock.release()


async def work_on_wreck(options: Options, command: str, work: Work) -> Session:
    """As ``work_on``, for ``rollback`` and ``abort``: takes the lock from a living holder, and does with what is left:
    a plan that no longer loads, a journal that is lost, a disk that is full.
    """
    name = named(options, wreck=True)
    if not _anything_left(options, name):
        options.load()
    problems: list[str] = []
    journal, folder, lock = _what_is_left(options, name, command, problems)
    try:
        loaded, proxy = _wreck(options, folder, problems)
        session = Session(
            name=name,
            journal=journal,
            folder=folder,
            proxy=proxy,
            loaded=loaded,
            epoch=lock.epoch if lock else None,
            command=command,
            sinks=options.sinks,
            force_reason=options.force_reason,
            state=last_state(journal, name),
            last_resort=True,
            problems=problems,
        )
        async with _attended(session, lock):
            await _run(session, work, lock.took_over if lock else None, recovers=False)
        return session
    finally:
        if lock is not None:
            lock.release()


def _anything_left(options: Options, name: str) -> bool:
    """Whether there was ever a run to go by: else a mistake in the plan is told before anything is made."""
    location = locate(options.store, name)
    return location.file.exists() or emergency.written(location.folder)


def _what_is_left(
    options: Options, name: str, command: str, problems: list[str]
) -> tuple[Journal, StateFolder, PlanLock | None]:
    try:
        journal = open_journal(options.store, name)
        lock = PlanLock(journal, name, command)
        lock.steal()
    except UsageError:
        raise
    except CutoverError as error:
        problems.append(f"the journal cannot be used: {error.message}")
        return (*MemoryJournal.instead(options.store, name), None)
    return journal, journal.folder, lock


def _wreck(options: Options, folder: StateFolder, problems: list[str]) -> tuple[LoadedPlan | None, NginxProxy]:
    """The plan and its proxy; where the plan does not load, the proxy as the run's start wrote it down."""
    try:
        loaded = options.load()
    except PlanError as error:
        problems.append(f"the plan does not load: {error.mistakes[0]}")
        problems.append("the settings of the run's start are used; the steps of the phase rollback are not run")
        try:
            return None, emergency.load(folder)
        except CutoverError as lost:
            raise PlanError(error.mistakes) from lost
    return loaded, open_proxy(ProxySpec.of(loaded.plan), folder, options.templates)


def named(options: Options, *, wreck: bool = False) -> str:
    """The plan's name, without asking more of the file than it takes; raises the plan's mistakes where it has none."""
    name = peek_name(options.plan_file)
    if name is not None:
        return name
    known = known_plans(options.store) if wreck else []
    if len(known) == 1:
        return known[0]
    try:
        return options.load().plan.name
    except PlanError as error:
        if not known:
            raise
        raise UsageError(
            f"{error.mistakes[0]}; and several plans have state here: {', '.join(known)}",
            "say which one by a file that has nothing but its name: echo 'name: NAME' > name.yml, then -p name.yml",
        ) from error


@asynccontextmanager
async def _attended(session: Session, lock: PlanLock | None) -> AsyncIterator[None]:
    """Signals and a lost lock cancel the work; what it then does about traffic is its own affair."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - we are in a coroutine
    lost: list[LockedError] = []

    def interrupt(signum: int) -> None:
        if session.signum is None:
            session.signum = signum
            task.cancel()

    def lose(error: LockedError) -> None:
        lost.append(error)
        task.cancel()

    try:
        with _heard(session, interrupt):
            async with _kept(lock, lose):
                yield
    except asyncio.CancelledError:
        if lost:
            raise lost[0] from None
        if session.signum is not None:
            raise session.interrupted(f"traffic is at weight {session.state.weight}") from None
        raise


@contextmanager
def _heard(session: Session, interrupt: Callable[[int], None]) -> Iterator[None]:
    """Signals, and sinks that lost their terminal or pipe, interrupt."""
    loop = asyncio.get_running_loop()

    def lose_sight() -> None:
        # Comes from a sink's own thread, at the very end perhaps after the loop.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(interrupt, signal.SIGHUP)

    for sink in session.sinks:
        sink.on_lost = lose_sight
        sink.folder_of = session.folder.run
    for signum in HANDLED_SIGNALS:
        loop.add_signal_handler(signum, interrupt, signum)
    try:
        yield
    finally:
        for signum in HANDLED_SIGNALS:
            loop.remove_signal_handler(signum)
        if session.signum == signal.SIGHUP:
            # A shell tells its jobs, and when it has ended the kernel does: the second is about the same terminal.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)


@asynccontextmanager
async def _kept(lock: PlanLock | None, lose: Callable[[LockedError], None]) -> AsyncIterator[None]:
    """The lock is refreshed, and its loss is heard of."""
    keeper = asyncio.create_task(lock.keep(lose)) if lock is not None else None
    try:
        yield
    finally:
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)


async def _run(session: Session, work: Work, took_over: Holder | None, *, recovers: bool = True) -> None:
    code, message = 0, ""
    try:
        if session.state.run:
            _tell_taking_over(session, took_over)
            session.emit(e.CommandStarted(session.command, os.getpid(), session.plan_hash))
            if recovers:
                await recover(session)
                await session.lease.take_up()
        await work(session)
    except asyncio.CancelledError:
        if session.signum is None:
            code, message = LockedError.exit_code, "the lock was taken over"
            raise
        error = _interrupted(session)
        code, message = error.exit_code, error.message
        raise error from None
    except CutoverError as error:
        code, message = error.exit_code, error.message
        raise
    except Exception as error:
        safe = await back_after_defect(session, error)
        defect = DefectError(error, safe=safe)
        code, message = defect.exit_code, defect.message
        raise defect from error
    finally:
        try:
            await session.lease.end(code)
            if session.state.run and (code or session.state.outcome is not None):
                await session.keep_logs()
        finally:
            _end(session, code, message)


def _tell_taking_over(session: Session, took_over: Holder | None) -> None:
    if took_over is not None:
        who = f"{took_over.command} (pid {took_over.pid} on {took_over.host})"
        session.emit(e.LockTakenOver(who, session.state.weight))


def _interrupted(session: Session) -> InterruptedRunError:
    weight = session.state.weight
    signum = session.signum or signal.SIGINT
    session.emit(e.RunInterrupted(signal.Signals(signum).name, weight))
    return session.interrupted(f"traffic is at weight {weight}")


def _end(session: Session, code: int, message: str) -> None:
    """The command's own end; a lock that is lost, or a journal that is gone, does not hide how it ended."""
    if not session.state.run:
        return
    try:
        session.emit(e.CommandEnded(session.command, code, message))
    except CutoverError as error:
        session.problems.append(f"not journalled: {error.message}")
