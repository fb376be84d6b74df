"""One container of a Docker engine: found by name at every call, asked in a thread, never for ever."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cutover.errors import ProxyError
from cutover.redact import redact

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

REQUEST_TIMEOUT_S = 10.0
"""One request to the engine: connecting, and each read of the answer."""

CALL_TIMEOUT_S = 20.0
"""One call of a host, which may be several requests."""

EXEC_TIMEOUT_S = 60.0
"""A program in the container: ``nginx -t`` waits for every name that does not resolve."""

SETTLE_TIMEOUT_S = 3.0
"""How long a cancelled call is waited for, so that its write can't land after what the caller does next."""

NO_PROGRAM = (126, 127)
"""Exit codes of a program that is not there, or is none."""

T = TypeVar("T")

_CURES = {
    "created": "docker start {name}",
    "exited": "docker start {name}",
    "dead": "docker rm {name}, and create it anew",
    "paused": "docker unpause {name}",
    "restarting": "docker logs {name} says why it keeps restarting",
    "removing": "docker ps -a; it is being removed",
}


class DockerContainer:
    """A container by its name, so that one which was recreated between two calls is found again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._client: DockerClient | None = None
        self._connecting = threading.Lock()

    async def call(self, function: Callable[[Container], T], *, limit_s: float = CALL_TIMEOUT_S) -> T:
        """Run ``function`` on the container in a thread.

        Raises ``ProxyError`` when the engine does not answer in time, does not know the container, or refuses.
        """
        return await in_thread(lambda: self._translate(function), limit_s=limit_s, what=f"container {self.name}")

    async def call_running(self, function: Callable[[Container], T], *, limit_s: float = CALL_TIMEOUT_S) -> T:
        """Like ``call``, for what only a running container can do."""

        def checked(container: Container) -> T:
            require_running(container)
            return function(container)

        return await self.call(checked, limit_s=limit_s)

    def _translate(self, function: Callable[[Container], T]) -> T:
        from docker.errors import NotFound  # noqa: PLC0415 - start-up time

        restarting = _CURES["restarting"].format(name=self.name)
        with _reaching(f"container {self.name}", hint=f"docker inspect {self.name}", restarting=restarting):
            client = self._connected()
            try:
                container = client.containers.get(self.name)
            except NotFound:
                raise ProxyError(
                    f"the Docker engine at {_place()} has no container {self.name}",
                    hint="docker ps -a lists those it has; DOCKER_HOST and the current context choose the engine",
                ) from None
            return function(container)

    def _connected(self) -> DockerClient:
        with self._connecting:
            if self._client is None:
                self._client = connect()
                weakref.finalize(self, self._client.close)
            return self._client


@contextlib.contextmanager
def _reaching(what: str, hint: str, restarting: str = "") -> Iterator[None]:
    """What the SDK and its libraries raise, as ``ProxyError``; ``hint`` is for what the engine refuses.

    ``restarting``: for a container that went down once more between two looks at it.
    """
    from docker.errors import APIError, DockerException  # noqa: PLC0415 - start-up time
    from requests import RequestException  # noqa: PLC0415 - start-up time
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - start-up time

    try:
        yield
    except APIError as error:
        said = explanation(error)
        raise ProxyError(redact(f"{what}: {said}"), hint=restarting if "is restarting" in said else hint) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise ProxyError(
            redact(f"the Docker engine at {_place()} can't be reached: {_reason(error)}"),
            hint="docker info says more; DOCKER_HOST and the current context choose the engine",
        ) from error


def engine_version() -> str:
    """Raises ``ProxyError`` when there is no engine, or none that answers."""
    with _reaching("the Docker engine", hint="docker version"), contextlib.closing(connect()) as client:
        return str(client.version().get("Version", ""))


def connect() -> DockerClient:
    """A client for the engine that ``docker`` on the command line would use: DOCKER_HOST, else the current context."""
    import docker  # noqa: PLC0415 - start-up time

    if not os.environ.get("DOCKER_HOST"):
        _check_context()
    return docker.from_env(timeout=int(REQUEST_TIMEOUT_S), use_ssh_client=True)


def _check_context() -> None:
    """The SDK takes the default engine where the current context is unknown: traffic on the wrong machine."""
    from docker.context import ContextAPI  # noqa: PLC0415 - start-up time

    name = os.environ.get("DOCKER_CONTEXT")
    if ContextAPI.get_context(name) is None:
        raise ProxyError(
            f"the Docker context {name or 'that is current'} does not exist",
            hint="docker context ls lists them; docker context use NAME chooses one",
        )


def require_running(container: Container) -> None:
    """Raise, with the command that helps, unless the container runs."""
    if container.status != "running":
        raise ProxyError(f"container {container.name} is {container.status}", hint=cure(container))


def cure(container: Container) -> str:
    return _CURES.get(container.status, "docker inspect {name}").format(name=container.name)


def explanation(error: Any) -> str:
    """What the engine says, without the URL that the SDK wraps around it."""
    return str(error.explanation or error).strip()


@dataclass(frozen=True)
class Ran:
    code: int
    output: str


def execute(container: Container, arguments: Sequence[str]) -> Ran:
    """Run a program in the container; 60 to 150 ms. One that is not there has the code 126 or 127.

    The SDK sets no limit to reading its output: the caller's ``call`` does.
    """
    from docker.errors import APIError  # noqa: PLC0415 - start-up time

    try:
        ran = container.exec_run(list(arguments))
    except APIError as error:
        if "executable file not found" in explanation(error) or "no such file or directory" in explanation(error):
            return Ran(NO_PROGRAM[1], explanation(error))
        raise
    output = cast("bytes", ran.output)
    return Ran(-1 if ran.exit_code is None else ran.exit_code, output.decode(errors="replace"))


def _place() -> str:
    return os.environ.get("DOCKER_HOST") or f"the context {os.environ.get('DOCKER_CONTEXT', 'in use')}"


def _reason(error: BaseException) -> str:
    """The system's own words, where there are some: the SDK and its library wrap a refused connection four times."""
    reason, inner = error, error.__cause__ or error.__context__
    while inner is not None:
        if isinstance(inner, OSError):
            reason = inner
        inner = inner.__cause__ or inner.__context__
    return str(reason) or type(reason).__name__


async def in_thread(function: Callable[[], T], *, limit_s: float, what: str) -> T:
    """Run a blocking function in a daemon thread, at most ``limit_s`` seconds.

    Not ``asyncio.to_thread``: reading an exec's output in the SDK has no time limit, and a thread of the default
    executor that hangs in it would keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed over to whoever awaits it
            _hand_over(loop, done, lambda error=error: done.set_exception(error))  # type: ignore[misc]
        else:
            _hand_over(loop, done, lambda: done.set_result(result))

    threading.Thread(target=run, name=f"docker {what}", daemon=True).start()
    try:
        await asyncio.wait({done}, timeout=limit_s)
    except asyncio.CancelledError:
        await asyncio.wait({done}, timeout=SETTLE_TIMEOUT_S)
        if done.done():
            done.exception()
        raise
    if not done.done():
        done.cancel()
        raise ProxyError(f"{what} did not answer within {limit_s:g} s", hint="docker info; docker ps")
    return done.result()


def _hand_over(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    def unless_given_up() -> None:
        if not done.done():
            settle()

    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(unless_given_up)
