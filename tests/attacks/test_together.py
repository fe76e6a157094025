"""Three processes of `offbench bench` in one folder at once, with one suite or three."""

from pathlib import Path

import pytest

from attacks.attack import Attack
from attacks.target import Target
from offbench.bench.store import Store

GOOD = Path(__file__).parent / "solvers" / "good.py"
INSTANCES = ("tiny-chains", "tiny-graphs")
AT_ONCE = 3


@pytest.mark.parametrize("suites", [1, AT_ONCE])
def test_benches_begun_together_make_all_that_is_planned(suites: int, tmp_path: Path, attack: Attack) -> None:
    if attack.rounds == 1:  # the short suite has tests/bench/test_clusters.py
        pytest.skip("in the long attack")
    for round_ in range(attack.rounds):
        target = Target(tmp_path / str(round_), attack)
        names = [
            target.suite(
                f"suite-{number}",
                [{"name": str(GOOD), "label": f"good-{number}", "parameters": {"pause_s": 0.1 + number / 100}}],
                instances=list(INSTANCES), seeds=3 // suites, time_limit_s=30,
            )
            for number in range(suites)
        ]  # fmt: skip
        commands = [target.bench(names[number % suites]) for number in range(AT_ONCE)]
        attack.count("benches at once", AT_ONCE)
        for command in commands:
            # What is left to another process when this one ends is none of its faults.
            assert command.wait(attack) in (0, 1), command.err
            assert "Traceback" not in command.err, command.err
        assert not target.orphans()
        planned = {job.cell for job in Store(target.results).planned()}
        attack.count("rows missing", len(target.planned - planned))
        assert planned == target.planned
        made = target.written()
        rows = target.rows()
        assert {row.status for row in rows.values()} == {"feasible"}
        for name in names:
            again = target.bench(name)
            assert again.wait(attack) == 0, again.err
            assert '"done": 0' in again.out, again.out
        assert not target.lost(made)
        assert not target.strays()
