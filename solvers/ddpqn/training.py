"""Algorithm 1: act, remember, learn; every episode is a placement proposed to the search."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from offbench import P1, OffbenchError, Search
from offbench.environment import OffloadingEnv

from .network import DuelingNetwork, double_target
from .replay import PrioritisedReplay, Transitions

if TYPE_CHECKING:
    from . import Ddpqn


def train(settings: "Ddpqn", problem: P1, search: Search) -> None:
    """Train until the search ends."""
    env = OffloadingEnv(problem)
    with one_thread():
        agent = Agent(settings, env.width, problem.n_servers, search.rng)
        while search.running:
            run_episode(agent, env, search)
            search.propose(env.servers)
            search.propose_many(candidates(agent, env, search))


def run_episode(agent: "Agent", env: OffloadingEnv, search: Search) -> None:
    """Play one episode, learning after every step."""
    observation, _ = env.reset()
    terminal = False
    while not terminal:
        search.check()
        action = agent.explore(observation, env.action_masks())
        following, reward, terminal, _, _ = env.step(action)
        # Past the end nothing may be chosen; the target doesn't look there.
        allowed = np.ones(env.problem.n_servers, dtype=np.bool_) if terminal else env.action_masks()
        agent.replay.add(observation, action, reward, following, allowed, terminal)
        agent.learn()
        observation = following


def candidates(agent: "Agent", env: OffloadingEnv, search: Search) -> NDArray[np.int64]:
    """Return placements of the present policy (Eq. 22, 28); nothing is learnt from them.

    The paper doesn't say how its candidates differ. Here they draw actions by the softmax of their
    Q-values, the first one at temperature 0, so greedily, the last one at the Q-values' standard
    deviation.
    """
    count = agent.settings.candidates
    temperature = np.linspace(0, 1, count)[:, None]
    servers = np.zeros((count, env.problem.n_subtasks), dtype=np.int64)
    for k in range(env.problem.n_subtasks):
        search.check()
        allowed = np.flatnonzero(env.problem.allowed[k])
        values = agent.values(env.observe(k, servers[:, k - 1]))[:, allowed]
        # The largest of values with Gumbel noise is a draw from their softmax.
        noise = agent.rng.gumbel(size=values.shape) * values.std(axis=1, keepdims=True)
        servers[:, k] = allowed[(values + temperature * noise).argmax(axis=1)]
    return servers


class Agent:
    """Networks, optimiser, replay and exploration.

    Parameters
    ----------
    settings
        The solver's parameters.
    observation
        Width of an observation.
    actions
        How many actions there are.
    rng
        Source of all randomness, the networks' first weights included.

    Raises
    ------
    OffbenchError
        If the device is not there.
    """

    def __init__(self, settings: "Ddpqn", observation: int, actions: int, rng: np.random.Generator) -> None:
        self.settings = settings
        self.rng = rng
        device = settings.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda" and not torch.cuda.is_available():
            raise OffbenchError("solver 'ddpqn': parameter device: torch finds no CUDA device here; say auto or cpu")
        self.device = torch.device(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            self.online = DuelingNetwork(observation, settings.hidden, actions).to(self.device)
            self.target = DuelingNetwork(observation, settings.hidden, actions).to(self.device)
        self.target.load_state_dict(self.online.state_dict())
        self.optimiser = torch.optim.Adam(self.online.parameters(), lr=settings.lr, fused=True)
        transitions = Transitions(settings.memory, observation, actions)
        self.replay = PrioritisedReplay(transitions, settings.omega, settings.beta, rng)
        self.updates = 0

    def explore(self, observation: NDArray[np.float32], allowed: NDArray[np.bool_]) -> int:
        """Choose the best action with probability `greedy`, else any allowed one."""
        if self.rng.random() < self.settings.greedy:
            return int(np.where(allowed, self.values(observation), -np.inf).argmax())
        return int(self.rng.choice(np.flatnonzero(allowed)))

    def values(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the Q-values of every action, for one observation or for rows of them."""
        with torch.inference_mode():
            values: NDArray[np.float32] = self.online(torch.from_numpy(observation).to(self.device)).cpu().numpy()
        return values

    def learn(self) -> None:
        """Make one update from a batch of the replay, once that holds one."""
        if self.replay.size < self.settings.batch:
            return
        indices, weights = self.replay.sample(self.settings.batch)
        t = self.replay.transitions
        columns = (t.observation, t.action, t.reward, t.next_observation, t.next_allowed, t.terminal)
        observation, action, reward, following, allowed, terminal = (
            torch.from_numpy(column[indices]).to(self.device) for column in columns
        )
        goal = double_target(self.online, self.target, reward, following, allowed, terminal, self.settings.gamma)
        value = self.online(observation).gather(1, action[:, None]).squeeze(1)
        errors = goal - value
        loss = (torch.from_numpy(weights).to(self.device) * errors**2).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.replay.update(indices, errors.detach().cpu().numpy())
        self.updates += 1
        if self.updates % self.settings.copy_every == 0:
            self.target.load_state_dict(self.online.state_dict())


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: these networks are small, and solvers are compared on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
