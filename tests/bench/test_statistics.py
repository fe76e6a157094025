"""Each statistic against independent truth: textbooks, other packages, other ways to compute it."""

import math
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from offbench.bench.statistics.anytime import anytime_curve, empirical_attainment, primal_integral, value_at
from offbench.bench.statistics.intervals import interquartile_mean, median, stratified_interval, summaries
from offbench.bench.statistics.profiles import data_profile, performance_profile
from offbench.bench.statistics.tests import blocks, friedman, wilcoxon_holm
from offbench.bench.statistics.times import (
    expected_running_time,
    par,
    shifted_geometric_mean,
    targets,
    time_summary,
    time_to,
)
from offbench.bench.statistics.training import break_even, spread_cost, training_costs

INF = math.inf


def test_friedman_by_hand() -> None:
    wide = pd.DataFrame({"a": [1.0, 1, 2, 1], "b": [2.0, 3, 1, 2], "c": [3.0, 2, 3, 3]})
    ranking = friedman(wide)
    assert ranking.ranks == {"a": 5 / 4, "b": 8 / 4, "c": 11 / 4}
    # 12 / (4 * 3 * 4) * (5^2 + 8^2 + 11^2) - 3 * 4 * 4; with two degrees of freedom p is exp(-x/2).
    assert ranking.statistic == pytest.approx(210 / 4 - 48)
    assert ranking.p == pytest.approx(math.exp(-4.5 / 2))
    assert ranking.blocks == 4


def test_critical_difference_is_demsars() -> None:
    """His example: four classifiers on 14 data sets, 1.25 (Statistical comparisons of classifiers, 2006, 3.2.2)."""
    wide = pd.DataFrame(np.random.default_rng(0).random((14, 4)))
    assert friedman(wide).critical_difference == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize(
    ("alpha", "q"), [(0.05, [1.960, 2.343, 2.569, 2.728, 3.164]), (0.1, [1.645, 2.052, 2.291, 2.459, 2.920])]
)
def test_critical_values_are_those_of_the_printed_table(alpha: float, q: list[float]) -> None:
    for solvers, value in zip((2, 3, 4, 5, 10), q, strict=True):
        wide = pd.DataFrame(np.random.default_rng(0).random((6, solvers)))
        assert friedman(wide, alpha).critical_difference == pytest.approx(
            value * math.sqrt(solvers * (solvers + 1) / 36), abs=2e-3
        )


def test_cliques_are_the_pairs_that_nemenyi_finds_alike() -> None:
    rng = np.random.default_rng(3)
    wide = pd.DataFrame(rng.random((20, 5)) + np.arange(5) * 0.25, columns=list("abcde"))
    p = scikit_posthocs.posthoc_nemenyi_friedman(wide)
    p.index = p.columns = wide.columns
    ranking = friedman(wide)
    together = {frozenset((x, y)) for group in ranking.cliques() for x in group for y in group if x != y}
    alike = {frozenset((x, y)) for x, y in combinations(wide.columns, 2) if p.loc[x, y] > 0.05}
    assert alike == together
    assert 0 < len(alike) < 10


def test_equal_solvers_have_equal_ranks_and_no_difference() -> None:
    ranking = friedman(pd.DataFrame({"a": [1.0, 2], "b": [1.0, 2], "c": [1.0, INF]}).fillna(INF).assign(c=[1.0, 2]))
    assert (ranking.statistic, ranking.p) == (0, 1)
    assert set(ranking.ranks.values()) == {2}


def test_wilcoxon_is_exact_for_few_blocks_and_holm_multiplies_from_the_smallest() -> None:
    wide = pd.DataFrame({"a": [1.0, 2, 3, 4, 5, 6], "b": [2.0, 4, 6, 8, 10, 12], "c": [2.1, 3.5, 7, 7, 11, 13]})
    found = {(one.first, one.second): one for one in wilcoxon_holm(wide)}
    # All six differences have one sign: of 2^6 sign patterns, two are as extreme.
    assert found["a", "b"].p == found["a", "c"].p == pytest.approx(2 / 64)
    assert (found["a", "b"].wins, found["a", "b"].losses) == (6, 0)
    raw = sorted(one.p for one in found.values())
    holm = np.maximum.accumulate([min(1, p * (3 - i)) for i, p in enumerate(raw)])
    assert sorted(one.p_holm for one in found.values()) == pytest.approx(list(holm))


@settings(max_examples=8)
@given(st.lists(st.integers(-9, 9).filter(bool), min_size=3, max_size=8, unique_by=abs))
def test_wilcoxon_is_what_all_sign_patterns_say(differences: list[int]) -> None:
    wide = pd.DataFrame({"a": [float(d) for d in differences], "b": 0.0})
    ranks = stats.rankdata(np.abs(differences))
    sums = np.array([ranks @ signs for signs in product((0, 1), repeat=len(differences))])
    positive = ranks @ (np.array(differences) > 0)
    tail = min((sums <= positive).mean(), (sums >= positive).mean())
    assert wilcoxon_holm(wide)[0].p == pytest.approx(min(1, 2 * tail))


def test_wilcoxon_bears_failures() -> None:
    wide = pd.DataFrame({"a": [1.0, 2, 3, INF, 5, 6, 7], "b": [2.0, 3, 4, INF, INF, INF, 8]})
    (one,) = wilcoxon_holm(wide)
    assert (one.wins, one.losses) == (6, 0)
    assert one.p < 0.05


def test_interquartile_mean_is_the_mean_of_the_middle_half() -> None:
    assert interquartile_mean([1, 2, 3, 4, 5, 6, 7, 100]) == pytest.approx((3 + 4 + 5 + 6) / 4)
    assert interquartile_mean([5]) == 5


@pytest.mark.parametrize("statistic", [median, interquartile_mean])
def test_stratified_bootstrap_is_what_all_resamples_say(statistic: object) -> None:
    strata = [[1.0, 2.0, 4.0], [10.0, 20.0]]
    draws = [list(product(stratum, repeat=len(stratum))) for stratum in strata]
    every = np.array([[*first, *second] for first in draws[0] for second in draws[1]])
    exact = np.quantile(statistic(every, axis=-1), [0.025, 0.975])  # type: ignore[operator]
    found = stratified_interval(strata, statistic, resamples=40_000)  # type: ignore[arg-type]
    assert found.estimate == pytest.approx(float(statistic(np.array([1.0, 2, 4, 10, 20]))))  # type: ignore[operator]
    assert (found.low, found.high) == pytest.approx(tuple(exact), abs=0.35)


def test_stratified_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(1)
    strata = [rng.normal(size=20), rng.normal(3, 1, size=15)]
    ours = stratified_interval(strata, resamples=20_000)
    theirs = stats.bootstrap(
        strata, lambda *parts, axis: stats.trim_mean(np.concatenate(parts, axis=axis), 0.25, axis=axis),
        method="percentile", n_resamples=20_000, rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_failures_make_intervals_infinite_and_no_nan() -> None:
    some = stratified_interval([[1.0, 2, 3, INF, INF]], median)
    assert (some.estimate, some.low, some.high) == (3, 1, INF)
    assert stratified_interval([[INF, INF]]).estimate == INF
    assert math.isnan(stratified_interval([]).estimate)


def runs(*lines: tuple[str, str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(lines, columns=["instance", "solver", "seed", "gap"])


def test_summaries_count_runs_and_failures() -> None:
    table = runs(
        ("x", "a", 0, 1.0), ("x", "a", 1, 2.0), ("y", "a", 0, 3.0), ("x", "b", 0, INF), ("x", "c", 0, math.nan)
    )
    found = summaries(table, "gap")
    assert list(found.index) == ["a", "b"]
    assert (found.loc["a", "median"], found.loc["a", "runs"], found.loc["a", "instances"], found.loc["a", "seeds"]) == (
        2,
        3,
        2,
        1,
    )
    assert (found.loc["b", "failed"], found.loc["b", "iqm"]) == (1, INF)


def test_blocks_are_medians_and_leave_out_who_is_missing_somewhere() -> None:
    table = runs(
        ("x", "a", 0, 1.0), ("x", "a", 1, 3.0), ("y", "a", 0, 5.0), ("y", "a", 1, INF),
        ("x", "b", 0, 2.0), ("y", "b", 0, 4.0), ("x", "c", 0, 1.0),
    )  # fmt: skip
    wide = blocks(table, "gap")
    assert wide.to_dict("list") == {"a": [2.0, INF], "b": [2.0, 4.0]}
    paired = blocks(table, "gap", seeds=True)
    # b has one seed on each instance, and the same number in all blocks.
    assert paired["b"].tolist() == [2, 2, 4, 4]
    assert paired["a"].tolist() == [1, 3, 5, INF]


def test_shifted_geometric_mean() -> None:
    assert shifted_geometric_mean([0, 3]) == pytest.approx(1)  # sqrt(1 * 4) - 1
    assert shifted_geometric_mean([2, 8], shift=0) == pytest.approx(stats.gmean([2, 8]))


def test_par10_counts_ten_limits_for_what_did_not_end() -> None:
    assert par([1, 2, INF], 5) == pytest.approx((1 + 2 + 50) / 3)
    assert par([6.0], [5.0]) == 50


def test_expected_running_time_is_that_of_restarts() -> None:
    assert expected_running_time([2, INF, 4], [9, 10, 9]) == pytest.approx(16 / 2)
    assert expected_running_time([INF], [10]) == INF
    # Against restarts played out: a run gets there after 2 s with chance 1/3, or gives up after 3 s.
    rng = np.random.default_rng(0)
    failures = rng.geometric(1 / 3, 100_000) - 1
    assert expected_running_time([2, INF, INF], [2, 3, 3]) == pytest.approx((3 * failures + 2).mean(), rel=0.02)


def test_targets_are_shares_of_the_possible_improvement() -> None:
    table = pd.DataFrame(
        {
            "instance": "x", "solver": ["a", "b"], "key": ["k", "l"], "client_only": 2.0, "best_known": 1.0,
            "time_limit_s": 10.0, "seconds": [4.0, math.nan],
        }
    )  # fmt: skip
    hits = targets(table, {"k": [(1.0, 1.5), (2.0, 1.1), (3.0, 1.0)]}, 0.1)
    assert hits["hit_s"].tolist() == [2.0, INF]
    assert targets(table, {"k": [(3.0, 1.0)]}, 0.0)["hit_s"].tolist() == [3.0, INF]
    found = time_summary(hits)
    assert (found.loc["a", "hits"], found.loc["a", "ert_s"], found.loc["a", "par10_s"]) == (1, 2, 2)
    assert [found.loc["b", name] for name in ("hits", "ert_s", "par10_s", "sgm_s")] == pytest.approx([0, INF, 100, 10])


def test_time_to_a_target() -> None:
    assert time_to([(1, 5), (2, 3)], 3) == 2
    assert time_to([(1, 5)], 3) == INF


def test_performance_profile_is_dolan_and_mores() -> None:
    times = {"a": [1.0, 10.0, INF, INF], "b": [2.0, 5.0, 7.0, INF]}
    found = performance_profile(times, [1, 2, 100])
    assert found["a"].tolist() == [0.25, 0.5, 0.5]  # fastest on one; on the second within a factor of 2
    assert found["b"].tolist() == [0.5, 0.75, 0.75]
    assert data_profile(times, [1, 5, 10])["b"].tolist() == [0, 0.5, 0.75]


def test_value_of_a_trace_at_a_time() -> None:
    assert value_at([(1, 5), (2, 3)], [0, 1, 1.5, 2, 9]).tolist() == [INF, 5, 5, 3, 3]
    assert value_at([], [1]).tolist() == [INF]


def test_anytime_curve_is_the_quantile_of_runs() -> None:
    low, middle, high = anytime_curve([[(1, 5)], [(2, 3)], [(3, 1)]], [0.5, 1.5, 2.5, 3.5])
    assert middle.tolist() == [INF, INF, 5, 3]
    assert low.tolist() == [INF, 5, 3, 1]
    assert high.tolist() == [INF, INF, INF, 5]


def test_primal_integral_by_hand_and_by_a_fine_sum() -> None:
    trace = [(2.0, 0.5), (5.0, 0.0)]
    assert primal_integral(trace, 10) == pytest.approx((2 * 1 + 3 * 0.5) / 10)
    assert primal_integral([], 10) == 1
    assert primal_integral([(0.0, 0.0)], 10) == 0
    assert primal_integral([(1.0, 7.0), (20.0, 0.0)], 10) == 1  # worse than the client, then too late
    fine = np.linspace(0, 10, 100_001)[:-1]
    assert primal_integral(trace, 10) == pytest.approx(np.minimum(1, value_at(trace, fine)).mean(), abs=1e-4)


def test_attainment_counts_runs() -> None:
    runs_ = [[(1.0, 0.5), (4.0, 0.1)], [(2.0, 0.2)], []]
    found = empirical_attainment(runs_, [1, 2, 5], [0.5, 0.15])
    assert found.tolist() == [pytest.approx([1 / 3, 2 / 3, 2 / 3]), pytest.approx([0, 0, 1 / 3])]


def test_cost_of_learning_breaks_even_where_both_cost_the_same() -> None:
    instances = break_even(100, 0.5, 2.5)
    assert instances == 50
    assert spread_cost(100, 0.5, instances) == pytest.approx(2.5)
    assert break_even(100, 3, 2) == INF


def test_learning_counts_in_three_ways() -> None:
    table = pd.DataFrame(
        {
            "solver": ["dqn", "plus", "plus", "greedy"],
            "trained": ["here", "before, on others", "before, on others", ""],
            "training_s": [60.0, 600.0, 600.0, math.nan], "inference_s": [math.nan, 0.1, 0.3, math.nan],
        }
    )  # fmt: skip
    found = training_costs(table, other_s=60.2, instances=10).set_index("solver")
    assert found.loc["dqn", "in_full_s"] == 60
    assert found["spread_s"].isna().to_dict() == {"dqn": True, "plus": False}
    assert found.loc["plus", "in_full_s"] == pytest.approx(600.2)
    assert found.loc["plus", "spread_s"] == pytest.approx(60.2)
    assert found.loc["plus", "break_even"] == pytest.approx(10)
    assert "greedy" not in found.index
