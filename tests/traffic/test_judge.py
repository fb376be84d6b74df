"""The judge: its statistics are those of the textbooks, and its verdicts those that people would give."""

from __future__ import annotations

import random
from math import inf, isfinite, log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cutover.plan.thresholds import Verdict
from cutover.traffic import looks, telling
from cutover.traffic.chance import at_least
from cutover.traffic.intervals import Interval, difference
from cutover.traffic.judge import ERRORS, P95, TIMES, Finding, Terms, judge_places, judge_sides
from cutover.traffic.proportions import proportion
from cutover.traffic.ranks import Ranked, mann_whitney, percentile, shift_between
from cutover.traffic.seen import Tally
from cutover.traffic.times import ACCURACY, BIN_RATIO, Times

DOUBT = 0.02
Bins = dict[int, int]

bins = st.dictionaries(st.integers(-30, 30), st.integers(1, 9), min_size=1, max_size=20)


def spread_out(counts: Bins) -> list[int]:
    return [place for place, count in counts.items() for _ in range(count)]


def times(seconds: list[float]) -> Times:
    made = Times()
    for one in seconds:
        made.add(one)
    return made


def lognormal(size: int, median: float = 0.1, sigma: float = 0.8, seed: int = 1) -> list[float]:
    rng = random.Random(f"{seed} {size}")  # noqa: S311 - a simulation
    return [round(rng.lognormvariate(log(median), sigma), 3) for _ in range(size)]


def tally(seconds: list[float], failed: int = 0) -> Tally:
    size = len(seconds)
    return Tally(requests=size, tries=size, failed=failed, drawn=size, times=times(seconds))


def judged(new: Tally, old: Tally, **terms: Any) -> dict[str, Finding]:
    found = judge_sides(new, old, Terms(**{"confidence": 98.0, "tolerance": 25.0, **terms}), DOUBT)
    return {one.metric: one for one in found}


def verdicts(new: Tally, old: Tally, **terms: Any) -> dict[str, Verdict]:
    return {metric: one.verdict for metric, one in judged(new, old, **terms).items()}


@given(bins, bins, st.integers(-25, 25))
def test_ranks_with_ties_are_those_of_scipy(new: Bins, old: Bins, shift: int) -> None:
    moved, theirs = [place - shift for place in spread_out(new)], spread_out(old)
    mine = mann_whitney(Ranked(new), Ranked(old), shift)
    if len({*moved, *theirs}) == 1:
        assert mine == 0
        return
    exact = stats.mannwhitneyu(moved, theirs, alternative="greater", method="asymptotic", use_continuity=False)
    assert looks.tail(mine) == pytest.approx(exact.pvalue, rel=1e-6, abs=1e-12)


@given(bins, bins)
def test_the_estimate_of_the_shift_is_that_of_hodges_and_lehmann(new: Bins, old: Bins) -> None:
    differences = sorted(a - b for a in spread_out(new) for b in spread_out(old))
    count = len(differences)
    low, high = differences[(count - 1) // 2], differences[count // 2]
    # Bins are whole numbers, and ties are parted evenly: an estimate between them is off by less than one.
    assert low - 1 < shift_between(Ranked(new), Ranked(old), 2.0).middle < high + 1


@given(bins, bins, st.floats(1, 4))
def test_an_interval_of_shifts_ends_where_the_test_refutes(new: Bins, old: Bins, deviations: float) -> None:
    mine, theirs = Ranked(new), Ranked(old)
    low, middle, high = shift_between(mine, theirs, deviations)
    assert low <= middle <= high
    if isfinite(low):
        assert mann_whitney(mine, theirs, int(low // 1)) >= deviations - 1e-9
    if isfinite(high):
        assert mann_whitney(mine, theirs, int(-(-high // 1))) <= -deviations + 1e-9


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.025, 0.001, 1e-5]))
def test_limits_of_a_proportion_are_those_of_clopper_and_pearson(tries: int, share: float, doubt: float) -> None:
    failed = round(tries * share)
    exact = stats.binomtest(failed, tries).proportion_ci(1 - 2 * doubt, method="exact")
    low, middle, high = proportion(failed, tries, doubt)
    assert (low, high) == pytest.approx((exact.low, exact.high), rel=1e-3, abs=1e-5)
    assert low <= middle <= high


@pytest.mark.parametrize("of_new", [200, 1000, 5000])
@pytest.mark.parametrize("of_old", [1000, 9000])
@pytest.mark.parametrize("part", [0.001, 0.01, 0.1, 0.5])
def test_more_errors_than_old_are_found_where_fisher_finds_them(of_new: int, of_old: int, part: float) -> None:
    """The least number of errors that counts as more is the one of Fisher's exact test, give or take a little."""
    doubt, theirs = 0.001, round(of_old * part)
    found = next(
        failed
        for failed in range(int(of_new * part), of_new)
        if difference(proportion(failed, of_new, doubt), proportion(theirs, of_old, doubt)).low > 0
    )
    exact = stats.fisher_exact([[found, of_new - found], [theirs, of_old - theirs]], alternative="greater").pvalue
    assert doubt / 8 < exact < doubt * 2


@given(st.integers(1, 2000), st.floats(0.02, 0.98), st.sampled_from([50.0, 95.0]), st.sampled_from([0.02, 1e-4]))
def test_limits_of_a_percentile_are_wrong_as_seldom_as_they_say(
    count: int, part: float, percent: float, doubt: float
) -> None:
    ranked = Ranked(dict.fromkeys(range(count), 1))
    low, _, high = percentile(ranked, percent, doubt)
    q = percent / 100
    # With one sample in each bin, a limit's bin is its rank.
    if isfinite(low):
        assert stats.binom.cdf(low, count, q) <= doubt * 1.001
        assert stats.binom.cdf(low + 1, count, q) > doubt * 0.999
    if isfinite(high):
        assert stats.binom.sf(high, count, q) <= doubt * 1.001
        assert stats.binom.sf(high - 1, count, q) > doubt * 0.999
    else:
        assert q**count > doubt * 0.999


@given(st.integers(1, 5000), st.floats(0.001, 0.999), st.floats(0, 1))
def test_chance_is_that_of_scipy(n: int, p: float, part: float) -> None:
    k = int(n * p) + 1 + round((n - int(n * p) - 1) * part)
    assert at_least(k, n, p) == pytest.approx(stats.binom.sf(k - 1, n, p), rel=1e-6, abs=1e-290)


def test_a_look_asks_for_more_than_a_single_one_would_and_never_for_much_more() -> None:
    for count in (50, 200, 1000, 10_000, 1_000_000):
        asked = looks.deviations(count, 10 * count, DOUBT)
        assert stats.norm.isf(DOUBT / 2) + 0.8 < asked < stats.norm.isf(DOUBT / 2) + 2.6
    assert sum(looks.left_to_window(DOUBT, number) for number in range(10_000)) == pytest.approx(DOUBT, rel=1e-3)


def test_the_boundary_is_crossed_as_seldom_as_it_says_however_often_one_looks() -> None:
    """Random walks, looked at after each step."""
    rng = random.Random(5)  # noqa: S311 - a simulation
    walks, crossed, doubt = 400, 0, 0.2
    boundary = [looks.deviations(step, 10**12, doubt) * step**0.5 for step in range(1, 1500)]
    for _ in range(walks):
        position = 0.0
        for limit in boundary:
            position += rng.gauss(0, 1)
            if abs(position) > limit:
                crossed += 1
                break
    assert crossed <= walks * doubt


@given(bins, bins)
def test_swapped_sides_are_the_same_the_other_way_round(new: Bins, old: Bins) -> None:
    mine, theirs = Ranked(new), Ranked(old)
    there, back = shift_between(mine, theirs, 2.0), shift_between(theirs, mine, 2.0)
    assert there == pytest.approx((-back.high, -back.middle, -back.low), abs=1.0)
    assert mann_whitney(mine, theirs) == pytest.approx(-mann_whitney(theirs, mine))


@given(bins, bins, st.integers(-500, 500))
def test_times_in_another_unit_are_judged_the_same(new: Bins, old: Bins, by: int) -> None:
    mine, theirs = (Ranked({place + by: count for place, count in side.items()}) for side in (new, old))
    assert shift_between(mine, theirs, 2.0) == pytest.approx(shift_between(Ranked(new), Ranked(old), 2.0))


@given(st.floats(0.5, 300))
def test_a_factor_on_all_times_changes_no_verdict(factor: float) -> None:
    new, old = lognormal(300, median=0.2), lognormal(900)
    scaled = [tally([one * factor for one in side]) for side in (new, old)]
    found, usual = judged(*scaled), judged(tally(new), tally(old))
    for metric in (TIMES, P95):
        assert found[metric].verdict is usual[metric].verdict
        mine, theirs = found[metric].worse, usual[metric].worse
        assert mine is not None
        assert theirs is not None
        assert tuple(mine) == pytest.approx(tuple(theirs), rel=6 * ACCURACY)


@given(st.lists(st.integers(0, 3000), min_size=60, max_size=200), st.integers(1, 60), st.integers(0, 9))
def test_sketches_that_were_merged_are_judged_as_one(milliseconds: list[int], cut: int, failed: int) -> None:
    seconds = [ms / 1000 for ms in milliseconds]
    old = tally(lognormal(400))
    merged = tally(seconds[:cut], failed=failed)
    merged.merge(tally(seconds[cut:], failed=1))
    assert judged(merged, old) == judged(tally(seconds, failed=failed + 1), old)


def test_bins_hold_every_time_and_those_of_no_length_too() -> None:
    made = times([0.0, 0.0, 0.0005, 0.001, 0.1, 0.1, 12.5])
    assert sorted(made.bins().values()) == [1, 1, 2, 3]
    (one,) = times([0.1]).bins()
    (twice,) = times([0.2]).bins()
    assert BIN_RATIO ** (twice - one) == pytest.approx(2, rel=2 * ACCURACY)
    assert Times().bins() == {}


def test_two_limits_are_combined_side_by_side() -> None:
    assert difference(Interval(7, 10, 14), Interval(1, 2, 6)) == Interval(3, 8, 8 + (16 + 1) ** 0.5)
    assert difference(Interval(7, 10, inf), Interval(-inf, 2, 6)) == Interval(3, 8, inf)


def test_a_slower_new_fails_by_times_and_a_slow_tail_by_p95() -> None:
    old = tally(lognormal(9000))
    slower = judged(tally(lognormal(3000, median=0.15, seed=2)), old)
    assert slower[TIMES].verdict is Verdict.FAIL
    worse = slower[TIMES].worse
    assert worse is not None
    assert worse.low < 1.5 < worse.high
    tail = [one * (6 if number % 10 == 0 else 1) for number, one in enumerate(lognormal(3000, seed=2))]
    assert verdicts(tally(tail), old) == {ERRORS: Verdict.PASS, TIMES: Verdict.PASS, P95: Verdict.FAIL}


def test_what_is_tolerated_does_not_fail() -> None:
    new, old = tally(lognormal(3000, median=0.115, seed=2)), tally(lognormal(9000))
    assert set(verdicts(new, old).values()) == {Verdict.PASS}
    assert verdicts(new, old, tolerance=0.0)[TIMES] is Verdict.FAIL


def test_a_faster_new_passes() -> None:
    assert set(verdicts(tally(lognormal(900, median=0.02)), tally(lognormal(900))).values()) == {Verdict.PASS}


def test_equally_slow_and_equally_failing_is_no_worse() -> None:
    new, old = tally(lognormal(2000, median=5.0, seed=2), failed=600), tally(lognormal(6000, median=5.0), failed=1800)
    assert set(verdicts(new, old).values()) == {Verdict.PASS}


def test_an_old_that_fails_is_no_fault_of_new_and_is_told() -> None:
    new, old = tally(lognormal(2000, seed=2), failed=2), tally(lognormal(6000), failed=720)
    terms = Terms(98.0, 25.0)
    found = judge_places({"": (new, old)}, "", terms)
    assert {one.verdict for one in found[""]} == {Verdict.PASS}
    assert telling.others(found, terms, "")[-1] == "old has 12 % errors, new 0.1 %"


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ((20, 1000), (100, 10_000), Verdict.PASS),
        ((200, 10_000), (1000, 100_000), Verdict.FAIL),
        ((8, 1000), (0, 10_000), Verdict.FAIL),
        ((4, 50), (0, 10_000), Verdict.PASS),
        ((40, 100_000), (0, 100_000), Verdict.PASS),
        ((0, 1000), (0, 1000), Verdict.PASS),
        ((1000, 1000), (0, 1000), Verdict.FAIL),
        ((1000, 1000), (1000, 1000), Verdict.PASS),
        ((49, 49), (0, 1000), Verdict.UNKNOWN),
        ((50, 50), (0, 49), Verdict.UNKNOWN),
    ],
)
def test_errors(new: tuple[int, int], old: tuple[int, int], verdict: Verdict) -> None:
    """Twice as many are seen; a few are not, nor so few of many that nobody would go back for them."""
    sides = (Tally(requests=tries, tries=tries, failed=failed) for failed, tries in (new, old))
    assert judged(*sides)[ERRORS].verdict is verdict


def test_one_step_of_the_logs_clock_is_no_slowdown() -> None:
    old = tally([0.001] * 900 + [0.002] * 100)
    assert verdicts(tally([0.002] * 900 + [0.003] * 100), old)[TIMES] is Verdict.PASS
    assert verdicts(tally([0.003] * 900 + [0.004] * 100), old)[TIMES] is Verdict.FAIL
    assert verdicts(tally([0.001] * 1000), tally([0.0] * 1000))[TIMES] is Verdict.PASS
    assert verdicts(tally([0.120] * 1000), tally([0.110] * 1000), tolerance=5.0)[TIMES] is Verdict.FAIL


def test_too_few_samples_on_either_side_are_unknown_and_said() -> None:
    many, few, terms = tally(lognormal(500)), tally(lognormal(49)), Terms(98.0, 25.0)
    for new, old, who in ((few, many, "new"), (many, few, "old"), (tally([]), many, "new"), (many, tally([]), "old")):
        found = judge_places({"": (new, old)}, "", terms)
        assert {one.verdict for one in found[""]} == {Verdict.UNKNOWN}
        (told,) = telling.others(found, terms, "")
        had = 49 if few in (new, old) else 0
        assert told == f"unknown: {who} had {had} of the 50 requests it takes to compare, {50 - had} are missing"


def test_nothing_passes_before_the_least_number_of_requests_but_a_failure_fails() -> None:
    old = tally(lognormal(2000))
    assert set(verdicts(tally(lognormal(500)), old, least=600).values()) == {Verdict.UNKNOWN}
    assert verdicts(tally(lognormal(500, median=1.0)), old, least=600)[TIMES] is Verdict.FAIL


def test_a_route_alone_is_found_and_named_and_those_with_few_requests_are_left_to_the_whole() -> None:
    quick, slow = (lognormal(300, seed=2), lognormal(2700)), (lognormal(300, 0.4, seed=3), lognormal(2700))
    few = (lognormal(20, 0.9, seed=3), lognormal(180))
    places = {"/quick": quick, "/slow": slow, "/few": few}
    sides = {place: (tally(new), tally(old)) for place, (new, old) in places.items()}
    whole = tuple(tally([one for side in places.values() for one in side[number]]) for number in (0, 1))
    terms = Terms(98.0, 25.0)
    found = judge_places({"": (whole[0], whole[1]), **sides}, "", terms)
    assert set(found) == {"", "/quick", "/slow"}
    assert {one.verdict for one in found["/quick"]} == {Verdict.PASS}
    assert {one.metric for one in found["/slow"] if one.verdict is Verdict.FAIL} >= {TIMES}
    assert any(one.startswith("fail: response times of /slow are ") for one in telling.failures(found, terms))


def finding(metric: str, worse: Interval, new: float = 0.0, old: float = 0.0) -> Finding:
    return Finding(metric, Verdict.FAIL, worse, new, old, 1204, 11020)


@pytest.mark.parametrize(
    ("place", "found", "said"),
    [
        ("/api/v1/studies", finding(P95, Interval(1.38, 1.5, 1.61)),
         "p95 of /api/v1/studies is 38 to 61 % slower than old"),
        ("", finding(TIMES, Interval(1.021, 1.04, 1.08)), "response times are 2.1 to 8 % slower than old"),
        ("default", finding(P95, Interval(1.5, 2, inf)), "p95 of all other routes is at least 50 % slower than old"),
        ("", finding(P95, Interval(3.9, 5, 6.31)), "p95 is 3.9 to 6.3 times old's"),
        ("", finding(P95, Interval(0.4, 0.5, 0.7)), "p95 is 30 to 60 % faster than old"),
        ("", finding(P95, Interval(0.9, 1, 1.2)), "p95 is between 10 % faster and 20 % slower than old"),
        ("", finding(P95, Interval(0.0, 1, inf)), "p95 is between 100 % faster and slower by any factor than old"),
        ("/a", finding(ERRORS, Interval(0.009, 0.017, 0.029), 0.021, 0.004),
         "errors of /a are 2.1 %, 0.9 to 2.9 points above old's 0.4 %"),
        ("", finding(ERRORS, Interval(-0.13, -0.12, -0.1), 0.001, 0.12),
         "errors are 0.1 %, 10 to 13 points below old's 12 %"),
        ("", finding(ERRORS, Interval(-0.01, 0, 0.02)),
         "errors are 0 %, between 1 points below and 2 above old's 0 %"),
    ],
)  # fmt: skip
def test_sentences(place: str, found: Finding, said: str) -> None:
    assert telling.sentence(place, found, Terms(98.0, 25.0)) == f"{said} (98 %, 1,204 and 11,020 requests)"


def test_what_passes_tells_what_it_could_still_hide() -> None:
    terms = Terms(98.0, 25.0)
    found = judge_places({"": (tally(lognormal(400, seed=2)), tally(lognormal(3600)))}, "", terms)
    assert telling.failures(found, terms) == []
    (told,) = telling.others(found, terms, "")
    assert told.startswith("not shown to be worse than old: errors at most 2.")
    assert told.endswith(" % slower (98 %, 400 and 3,600 requests)")
    few = judge_places({"": (tally(lognormal(60)), tally(lognormal(60)))}, "", terms)
    assert "p95 not bounded yet" in telling.others(few, terms, "")[0]


def test_many_failing_routes_are_counted_and_all_of_them_are_in_the_details() -> None:
    slow = (tally(lognormal(300, 0.9, seed=3)), tally(lognormal(2700)))
    terms = Terms(98.0, 25.0)
    found = judge_places({"": slow, **{f"/{number}": slow for number in range(9)}}, "", terms)
    told = telling.failures(found, terms)
    assert telling.others(found, terms, "") == []
    assert len(told) == telling.MAX_FAILURES + 1
    assert told[-1] == "15 more are worse"
    details = telling.as_json(found, terms)
    assert len([one for one in details["findings"] if one["verdict"] == "fail"]) == 20
