"""One experiment for each figure: what is varied, who takes part, under which budget."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from offbench.bench.plan import Plan, plan, together
from offbench.bench.suite import Entrant, Suite
from offbench.errors import one_of
from offbench.learning import paper_agent
from offbench.paper.settings import ALL, ENVIRONMENTS, RATIOS, READINGS, Setting

DDPQN = Entrant(name="ddpqn", label="ddpqn")
AGENTS = (
    "dqn", "double-dqn", "dueling-dqn", "prioritized-dqn", "doublepr-dqn", "duelingpr-dqn", "double-dueling-dqn",
    "ddpqn",
)  # fmt: skip
# Figure 3. The paper names the best value of each in words; the others are our choice.
PARAMETERS: dict[str, tuple[float, ...]] = {
    "lr": (0.1, 0.01, 0.001, 0.0001),
    "greedy": (0.5, 0.7, 0.8, 0.9),
    "batch": (32, 64, 128, 256, 512),
    "gamma": (0.1, 0.3, 0.5, 0.8, 0.99),
}
DEFAULTS = {
    "lr": paper_agent.LEARNING_RATE, "greedy": paper_agent.GREEDY, "batch": paper_agent.BATCH,
    "gamma": paper_agent.DISCOUNT,
}  # fmt: skip
GREEDY = "greedy"
METAHEURISTICS = ("annealing", "genetic")
"""of these the better one stands beside the agents"""


@dataclass(frozen=True)
class Scope:
    """How much is run. The paper says neither seeds nor how long it trained; these are our choice."""

    seeds: int
    time_limit_s: float
    """of each run, agents and what stands beside them alike"""
    learning: tuple[str, ...]
    """networks of figure 3"""
    structures: tuple[str, ...]
    """of figures 4 and 5"""
    networks: tuple[str, ...]
    """of figures 7 to 13"""
    tasks: tuple[int, ...]
    """of figure 6"""
    beside: tuple[Entrant, ...]
    """what stands beside the agents, but for `chain-exact` and `relaxations`"""


FULL = Scope(
    seeds=5,
    time_limit_s=10,
    learning=("alexnet", "resnet"),
    structures=("alexnet", "googlenet", "resnet"),
    networks=("alexnet", "vgg19", "googlenet", "resnet"),
    tasks=(1, 2, 4, 6, 8, 10),
    beside=(
        Entrant(name="annealing", label="annealing", seeds=(0,)),
        Entrant(name="genetic", label="genetic", seeds=(0,)),
    ),
)
QUICK = Scope(
    seeds=2,
    time_limit_s=3.5,
    learning=("alexnet",),
    structures=("alexnet", "resnet"),
    networks=("alexnet", "resnet"),
    tasks=(1, 5, 10),
    beside=(Entrant(name="annealing", label="annealing", seeds=(0,)),),
)


@dataclass(frozen=True)
class Experiment:
    """What one figure needs."""

    figure: str
    section: str
    title: str
    settings: tuple[Setting, ...]
    agents: tuple[Entrant, ...] = (DDPQN,)
    """what the paper compares, on chains"""
    on_graphs: tuple[Entrant, ...] = (Entrant(name="ddpqn", two_step=True, label="ddpqn two-step"),)
    """the same on graphs, which the paper places in two steps; whoever shows curves learns all layers at once"""

    def suites(self, scope: Scope) -> list[Suite]:
        """Return its suites: chains, whose optima are proven, and graphs or several tasks, which are bounded."""
        exact = Entrant(name="chain-exact", label="chain-exact", seeds=(0,))
        bound = Entrant(name="relaxations", label="relaxations", seeds=(0,))
        chains = [setting for setting in self.settings if setting.is_chain]
        graphs = [setting for setting in self.settings if not setting.is_chain]
        return [
            Suite(
                name=f"{self.figure}-{name}", description=self.title,
                instances=tuple(setting.entry for setting in settings),
                solvers=(*agents, *scope.beside, proof),
                seeds=tuple(range(scope.seeds)), time_limit_s=scope.time_limit_s,
            )
            for name, settings, agents, proof in (
                ("chains", chains, self.agents, exact), ("graphs", graphs, self.on_graphs, bound)
            )
            if settings
        ]  # fmt: skip

    def plan(self, scope: Scope) -> Plan:
        """Return its runs."""
        return together(self.figure, [plan(suite, Path()) for suite in self.suites(scope)])


def _parameters() -> Iterable[Entrant]:
    yield DDPQN
    for name, values in PARAMETERS.items():
        for value in values:
            if value != DEFAULTS[name]:
                yield Entrant(name="ddpqn", parameters={name: value}, label=f"ddpqn {name}={value:g}")


def _weighted(networks: Iterable[str], *weights: str) -> tuple[Setting, ...]:
    """Return the settings of these networks and both readings of H with each of these weights."""
    return tuple(Setting(*each) for each in product(networks, weights, READINGS))


def _with(scope: Scope, servers: Iterable[tuple[int, int]]) -> tuple[Setting, ...]:
    """Return the same with the paper's weights and each of these numbers of edges and clouds."""
    return tuple(Setting(*one, *each) for one, each in product(product(scope.networks, [ALL], READINGS), servers))


def experiments(scope: Scope) -> dict[str, Experiment]:
    """Return the experiment of each figure, in the paper's order."""
    agents = tuple(Entrant(name=name, label=name) for name in AGENTS)
    three = (DDPQN, Entrant(name="dqn", label="dqn"), Entrant(name=GREEDY, label=GREEDY, seeds=(0,)))
    of_sets = _weighted(scope.networks, "A", "A-B", "A-X", ALL)
    found = (
        Experiment(
            "fig3", "5.2", "Convergence of DDPQN under learning rate, epsilon, batch size and discount",
            _weighted(scope.learning, ALL), tuple(_parameters()), tuple(_parameters()),
        ),
        Experiment(
            "fig4", "5.3", "Convergence of the eight agents",
            _weighted(scope.structures, ALL), agents, agents,
        ),
        Experiment(
            "fig5", "5.3", "Average reward of the eight agents",
            _weighted(scope.structures, ALL), agents, agents,
        ),
        Experiment(
            "fig6", "5.4", "Delay, energy and cost of several AlexNet tasks",
            tuple(
                Setting("alexnet", reading=reading, tasks=tasks) for reading in READINGS for tasks in scope.tasks
            ),
            three, three,
        ),
        Experiment(
            "fig7", "5.5", "What the weights do",
            _weighted(scope.networks, "7:2:1", "1:7:2", "2:1:7", "2:3:5", ALL, "8:1:1"),
        ),
        Experiment(
            "fig8", "5.6", "Coordination H of each layer",
            tuple(one for one in of_sets if one.weights != "A-X" and one.network != "googlenet"),
        ),
        Experiment("fig9", "5.6", "Total coordination H", of_sets),
        Experiment(
            "fig10", "5.6", "Balance Z at edges and clouds", tuple(one for one in of_sets if one.weights != "A-B")
        ),
        Experiment("fig11", "5.7", "What coordination and balance cost in delay, energy and cost", of_sets),
        Experiment(
            "fig12", "5.8", "Device, edge and cloud together, or two of them",
            _with(scope, ENVIRONMENTS.values()),
        ),
        Experiment("fig13", "5.9", "Ratios of edge to cloud servers", _with(scope, RATIOS)),
    )  # fmt: skip
    return {one.figure: one for one in found}


FIGURES = tuple(f"fig{number}" for number in range(3, 14))


def chosen(figure: str) -> list[str]:
    """Return the figures that a name means: one, or all of them.

    Raises
    ------
    OffbenchError
        If there is no such figure.
    """
    if figure == "all":
        return list(FIGURES)
    if figure not in FIGURES:
        raise one_of("figure", figure, [*FIGURES, "all"])
    return [figure]
