"""The check ``tcp``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from cutover.checks.tcp import Tcp, host_and_port
from cutover.plan.thresholds import Verdict

if TYPE_CHECKING:
    from .conftest import MakeContext, Serving


def tcp(**settings: Any) -> Tcp:
    return Tcp.model_validate(settings)


async def test_a_backend_that_listens_passes_with_the_time(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(b"")
    result = await tcp(backend="new").run(context(new=port))
    assert result.passed
    assert f"127.0.0.1:{port}: connected in" in result.summary
    assert result.figures["seconds"] > 0


async def test_an_address_that_listens_passes(serving: Serving, context: MakeContext) -> None:
    port = await serving.answer(b"")
    assert (await tcp(address=f"localhost:{port}").run(context())).passed


async def test_a_closed_port_fails_with_the_reason(context: MakeContext, closed_port: int) -> None:
    result = await tcp(address=f"127.0.0.1:{closed_port}").run(context())
    assert result.verdict is Verdict.FAIL
    assert "refused" in result.summary.lower()


async def test_a_name_that_does_not_resolve_fails_with_the_reason(context: MakeContext) -> None:
    result = await tcp(address="nowhere.invalid:1").run(context())
    assert result.verdict is Verdict.FAIL
    assert "does not resolve" in result.summary


@pytest.mark.parametrize(
    "settings",
    [{}, {"backend": "new", "address": "a:1"}, {"address": "a"}, {"address": "a:0"}, {"address": "a:65536"},
     {"address": "http://a:1"}, {"address": "::1:80"}],
)  # fmt: skip
def test_what_is_no_address_is_a_mistake(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        tcp(**settings)


def test_addresses_of_both_families_are_taken_apart() -> None:
    assert host_and_port("[::1]:80") == ("::1", 80)
    assert host_and_port("db.internal:5432") == ("db.internal", 5432)
