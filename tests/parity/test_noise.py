from __future__ import annotations

import pytest

from cutover.parity.findings import Findings, Key, Kind
from cutover.parity.noise import Noise, differs


@pytest.mark.parametrize(
    ("raw", "noise", "total", "counts"),
    [
        (10, 10, 1000, False),
        (11, 10, 1000, False),
        (16, 10, 1000, True),
        (5, 10, 1000, False),
        (1, 0, 1000, True),
        (3, 1, 10_000, False),
        (5, 1, 10_000, True),
    ],
)
def test_a_field_differs_when_it_does_so_more_than_old_from_itself(
    raw: int, noise: int, total: int, *, counts: bool
) -> None:
    assert differs(raw, noise, total) is counts


def noisy_endpoint(requests: int) -> Noise:
    noise = Noise()
    found = Findings()
    found.add(Kind.VALUE, "$.a")
    for number in range(requests):
        noise.count(found if number % 10 == 0 else Findings(), {("value", "$.a")} if number % 10 == 5 else set())
    return noise


def test_a_field_that_is_as_noisy_on_old_is_excused_once_there_are_enough_samples() -> None:
    assert noisy_endpoint(1000).excuses(Key(Kind.VALUE, "$.a"))
    assert not noisy_endpoint(50).excuses(Key(Kind.VALUE, "$.a"))


def test_a_field_without_noise_is_never_excused() -> None:
    assert not noisy_endpoint(1000).excuses(Key(Kind.VALUE, "$.b"))
    assert not noisy_endpoint(1000).excuses(Key(Kind.TYPE, "$.a"))
