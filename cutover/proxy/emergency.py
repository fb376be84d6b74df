"""What a rollback needs when all else is lost: written when a run starts, read when the plan no longer parses."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field, ValidationError

from cutover.errors import CutoverError, ProxyError
from cutover.files import make_private_folder, write_private
from cutover.paths import StateFolder
from cutover.plan.base import PlanModel
from cutover.proxy.nginx import KEPT_ZERO, NginxProxy
from cutover.proxy.spec import ProxySpec, bare_url

_FILE = "spec.json"


class Kept(PlanModel):
    """``old_url``: where cutover reaches old, to ask whether it is alive."""

    spec: ProxySpec
    old_url: str = ""
    templates: str | None = Field(default=None)


async def write(proxy: NginxProxy, state: StateFolder, old_url: str = "") -> None:
    """Keep the spec and the configuration of weight 0, the latter also beside the live file, ready to be renamed."""
    zero = await proxy.render(0)
    templates = str(proxy.templates.resolve()) if proxy.templates else None
    kept = Kept(spec=proxy.spec, old_url=bare_url(old_url), templates=templates)

    def keep() -> None:
        make_private_folder(state.emergency)
        for name, text in ((KEPT_ZERO, zero.text), (_FILE, kept.model_dump_json(by_alias=True, exclude_none=True))):
            if _read(state.emergency / name) != text:
                write_private(state.emergency / name, text)

    await asyncio.to_thread(keep)
    if await proxy.host.read(proxy.spare) != zero.text:
        await proxy.host.replace(proxy.spare, zero.text)


def written(state: StateFolder) -> bool:
    return (state.emergency / KEPT_ZERO).exists() and (state.emergency / _FILE).exists()


def load(state: StateFolder) -> NginxProxy:
    """The proxy as the start of a run knew it; raises ``ProxyError`` where none did."""
    from cutover.proxy import open_proxy  # noqa: PLC0415 - it imports this package's parts

    kept = _kept(state)
    if kept is None:
        raise ProxyError(f"{state.emergency} has no settings of a run", hint="the plan has to load for this")
    templates = Path(kept.templates) if kept.templates else None
    return open_proxy(kept.spec, state, templates if templates and templates.is_dir() else None)


def old_url(state: StateFolder) -> str:
    """Where old was when the run started; empty where that is not known."""
    try:
        kept = _kept(state)
    except CutoverError:
        return ""
    return kept.old_url if kept else ""


def _kept(state: StateFolder) -> Kept | None:
    text = _read(state.emergency / _FILE)
    if text is None:
        return None
    try:
        return Kept.model_validate_json(text)
    except ValidationError as error:
        raise ProxyError(f"{state.emergency / _FILE} can't be used: {error.errors()[0]['msg']}") from error


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
