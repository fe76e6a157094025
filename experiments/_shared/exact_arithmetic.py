"""MODEL.md sections 1 to 4 and 8 without rounding, and the optimum of tiny instances by enumeration.

Written from MODEL.md alone: nothing of `offbench.evaluation` is used. The numbers of an instance are taken for exactly
what they are in binary. Sums, products and quotients are fractions; times are whole numbers over one denominator. The
roots of Eq. 10 and 11 and the logarithm of Eq. 2 have 60 digits.
"""

import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product
from typing import Any

from experiments._shared.exact_instance import DIGITS, INDICATORS, OWN_INPUT, ExactInstance, decimal
from offbench.model.instance import Instance

FEASIBLE = Fraction(1, 10**9)
"""the largest violation of a placement that is feasible"""


@dataclass(frozen=True)
class ExactSubtask:
    """One subtask's numbers (section 2)."""

    start_s: Fraction
    completion_s: Fraction
    delay_s: Fraction
    execution_s: Fraction
    transmission_s: Fraction
    queueing_s: Fraction
    energy_j: Fraction
    cost_usd: Fraction
    coordination: Fraction
    imbalance: int
    """Z after it"""


@dataclass(frozen=True)
class ExactEvaluation:
    """A placement's numbers (section 4), by the names that conformance cases have for them."""

    objective: Fraction
    delay_s: Fraction
    energy_j: Fraction
    cost_usd: Fraction
    score: Fraction
    coordination: Fraction
    balance: Fraction
    final_imbalance: int
    makespan_s: Fraction
    violation: Fraction
    memory_violation: Fraction
    deadline_violation: Fraction
    limit_violation: Fraction
    subtasks: tuple[ExactSubtask, ...]


@dataclass(frozen=True)
class ExactOptimum:
    """The objective of a placement and how far it exceeds what is admitted."""

    objective: Fraction
    servers: tuple[int, ...]
    order: tuple[int, ...]
    violation: Fraction = Fraction(0)

    @property
    def feasible(self) -> bool:
        """Whether everything that is admitted holds."""
        return self.violation <= FEASIBLE

    @property
    def rank(self) -> tuple[bool, Fraction]:
        """What the better of two placements has less of: feasible first, then Q or the violation."""
        return not self.feasible, self.objective if self.feasible else self.violation


class ExactArithmetic:
    """An instance of format ``offbench/1`` or ``offbench/2`` in exact numbers.

    Subtasks are numbered tasks in order, layers in order; servers as in the instance.

    Parameters
    ----------
    instance
        The instance, or its data as in the file.
    """

    def __init__(self, instance: Mapping[str, Any] | Instance) -> None:
        data = json.loads(instance.to_text()) if isinstance(instance, Instance) else instance
        self.facts = facts = ExactInstance(data)
        self.n_subtasks, self.allowed = facts.n_subtasks, facts.allowed
        self.scales = facts.stated_scales or self._scales()
        # Times as whole numbers of ticks.
        durations = [*facts.arrival, *(spent.seconds for spent in (*facts.ran.values(), *facts.sent.values()))]
        self.ticks = math.lcm(*(seconds.denominator for seconds in durations))
        self.arrival_ticks = [int(seconds * self.ticks) for seconds in facts.arrival]
        self.run_ticks = {key: int(spent.seconds * self.ticks) for key, spent in facts.ran.items()}
        self.send_ticks = {key: int(spent.seconds * self.ticks) for key, spent in facts.sent.items()}
        self.readers: list[list[int]] = [[] for _ in range(self.n_subtasks)]
        self.sources = [{source for source, _ in row if source != OWN_INPUT} for row in facts.reads]
        for k, sources in enumerate(self.sources):
            for source in sources:
                self.readers[source].append(k)
        self._h: dict[tuple[int, int, tuple[int, ...]], Fraction] = {}

    def evaluate(self, servers: Sequence[int], order: Sequence[int] | None = None) -> ExactEvaluation:
        """Return the numbers of a placement; first come, first served without an order.

        Raises
        ------
        ValueError
            If a server isn't allowed, or the order isn't one.
        """
        booking = self._booked(servers, order)
        at, rows = booking.servers, []
        for k, imbalance in enumerate(self._imbalances(at)):
            energy, cost = self._spent(k, at)
            run, end = self.run_ticks[k, at[k]], booking.end[k]
            times = end - run, end, booking.delay[k], run, booking.sending[k], booking.waiting[k]
            start, end_s, delay, execution, transmission, queueing = (Fraction(t, self.ticks) for t in times)
            h = self._coordination(k, booking.delay[k], at)
            rows.append(
                ExactSubtask(start, end_s, delay, execution, transmission, queueing, energy, cost, h, imbalance)
            )
        energy, cost = self._energy_and_cost(at)
        totals = {"delay_s": self._delay(booking), "energy_j": energy, "cost_usd": cost}
        score, coordination = self._score(totals), sum((row.coordination for row in rows), Fraction(0))
        balance = _over(sum(row.imbalance for row in rows), self.scales["balance"])
        weights = self.facts.weights
        memory, deadlines, limits = self._memory(at), self._deadlines(booking), self._limits(totals)
        return ExactEvaluation(
            weights["score"] * score - weights["coordination"] * coordination + weights["balance"] * balance,
            **totals, score=score, coordination=coordination, balance=balance,
            final_imbalance=rows[-1].imbalance, makespan_s=Fraction(max(booking.end), self.ticks),
            violation=memory + deadlines + limits, memory_violation=memory, deadline_violation=deadlines,
            limit_violation=limits, subtasks=tuple(rows),
        )  # fmt: skip

    def delays(self, servers: Sequence[int], order: Sequence[int] | None = None) -> list[Fraction]:
        """Return how long after its arrival each task is complete, s."""
        return self._delays(self._booked(servers, order))

    def objective(self, servers: Sequence[int], order: Sequence[int] | None = None) -> Fraction:
        """Return Q of a placement; first come, first served without an order.

        Raises
        ------
        ValueError
            If a server isn't allowed, or the order isn't one.
        """
        booking = self._booked(servers, order)
        return self._constant(booking.servers) + self._timed(booking)

    def placements(self, servers: Sequence[int] | None = None) -> Iterator[ExactOptimum]:
        """Yield every placement with a dispatch order, of orders that book alike only one.

        Parameters
        ----------
        servers
            P2: the server of each subtask. Without it, all that are allowed (P1).
        """
        for at in self._assignments(servers):
            yield from self._orders(at, self._constant(at), self._constant_violation(at))

    def optimum(self, servers: Sequence[int] | None = None) -> ExactOptimum:
        """Return the best of `placements`: a feasible one if there is one, else the least violating."""
        best: ExactOptimum | None = None
        for at in self._assignments(servers):
            violation = self._constant_violation(at)
            if best is not None and violation > (FEASIBLE if best.feasible else best.violation):
                continue  # no order mends what memory, energy and cost exceed
            for found in self._orders(at, self._constant(at), violation):
                if best is None or found.rank < best.rank:
                    best = found
        assert best is not None
        return best

    def client_only(self) -> Fraction:
        """Return Q of everything on its client; what may not run there stands where it first may."""
        clients = [self.facts.client[i] for i in self.facts.task]
        return self.objective([c if c in may else may[0] for c, may in zip(clients, self.allowed, strict=True)])

    def _scales(self) -> dict[str, Fraction]:
        facts, largest = self.facts, [Fraction(0)] * 3
        for (k, s), ran in facts.ran.items():
            i = facts.task[k]
            found = [ran.seconds, ran.energy, ran.cost]
            sent = [
                [
                    facts.sent[k, x, q, s]
                    for q in ((facts.client[i],) if source == OWN_INPUT else facts.usable[i])
                ]
                for x, (source, _) in enumerate(facts.reads[k])
            ]  # fmt: skip
            found[0] += max(max(each.seconds for each in those) for those in sent)
            found[1] += sum(max(each.energy for each in those) for those in sent)
            found[2] += sum(max(each.cost for each in those) for those in sent)
            largest = [max(pair) for pair in zip(largest, found, strict=True)]
        pairs = max(facts.kinds.count("edge") - 1, facts.kinds.count("cloud") - 1, 0)
        return {**dict(zip(INDICATORS, largest, strict=True)), "balance": Fraction(pairs * self.n_subtasks)}

    def _assignments(self, servers: Sequence[int] | None) -> Iterator[tuple[int, ...]]:
        return product(*([(int(s),) for s in servers] if servers is not None else self.allowed))

    def _orders(self, at: tuple[int, ...], constant: Fraction, violation: Fraction) -> Iterator[ExactOptimum]:
        for booking in Booking(self, list(at)).ends():
            exceeded = violation + self._timed_violation(booking)
            yield ExactOptimum(constant + self._timed(booking), at, tuple(booking.order), exceeded)

    def _booked(self, servers: Sequence[int], order: Sequence[int] | None) -> "Booking":
        servers = [int(s) for s in servers]
        if len(servers) != self.n_subtasks or any(s not in self.allowed[k] for k, s in enumerate(servers)):
            raise ValueError("a server isn't allowed")
        booking = Booking(self, servers)
        if order is None:
            while booking.open:
                booking.book(min(booking.open, key=lambda k: (booking.arrive(k)[0], k)))
            return booking
        for k in order:
            if k not in booking.open:
                raise ValueError("the order has a subtask twice, or before an input")
            booking.book(int(k))
        if booking.open:
            raise ValueError("the order leaves subtasks out")
        return booking

    # What the servers alone decide

    def _constant(self, servers: Sequence[int]) -> Fraction:
        """Return what of Q the servers alone decide: energy, cost, balance."""
        weights = self.facts.weights
        energy, cost = self._energy_and_cost(servers)
        score = self._score({"energy_j": energy, "cost_usd": cost})
        balance = _over(sum(self._imbalances(servers)), self.scales["balance"])
        return weights["score"] * score + weights["balance"] * balance

    def _constant_violation(self, servers: Sequence[int]) -> Fraction:
        """Return what of the violation the servers alone decide: memory, and the limits of energy and cost."""
        energy, cost = self._energy_and_cost(servers)
        return self._memory(servers) + self._limits({"energy_j": energy, "cost_usd": cost})

    def _energy_and_cost(self, servers: Sequence[int]) -> tuple[Fraction, Fraction]:
        spent = [self._spent(k, servers) for k in range(self.n_subtasks)]
        return sum((j for j, _ in spent), Fraction(0)), sum((usd for _, usd in spent), Fraction(0))

    def _spent(self, k: int, servers: Sequence[int]) -> tuple[Fraction, Fraction]:
        s = servers[k]
        ran = self.facts.ran[k, s]
        sent = [self.facts.sent[k, x, q, s] for x, q in enumerate(self.come_from(k, servers))]
        return ran.energy + sum(each.energy for each in sent), ran.cost + sum(each.cost for each in sent)

    def come_from(self, k: int, servers: Sequence[int]) -> tuple[int, ...]:
        """Return the server of each input of a subtask."""
        client = self.facts.client[self.facts.task[k]]
        return tuple(client if source == OWN_INPUT else servers[source] for source, _ in self.facts.reads[k])

    def _imbalances(self, servers: Sequence[int]) -> list[int]:
        """Return Z after each subtask."""
        kinds = self.facts.kinds
        groups = [[s for s, kind in enumerate(kinds) if kind == wanted] for wanted in ("edge", "cloud")]
        count, after = [0] * len(kinds), []
        for s in servers:
            count[s] += 1
            after.append(sum(abs(count[a] - count[b]) for group in groups for a, b in combinations(group, 2)))
        return after

    def held(self, servers: Sequence[int]) -> list[Fraction]:
        """Return how many MB of weights each server holds, those of one id once."""
        held: list[dict[Hashable, Fraction]] = [{} for _ in self.facts.names]
        for s, (whose, mb) in zip(servers, self.facts.weight, strict=True):
            held[s][whose] = mb
        return [sum(weights.values(), Fraction(0)) for weights in held]

    def _memory(self, servers: Sequence[int]) -> Fraction:
        pairs = zip(self.held(servers), self.facts.memory, strict=True)
        return sum((_beyond(held, memory) for held, memory in pairs if memory is not None), Fraction(0))

    # What times decide

    def _timed(self, booking: "Booking") -> Fraction:
        """Return what of Q depends on times: delay and coordination."""
        weights, total = self.facts.weights, Fraction(0)
        if weights["coordination"] > 0:
            for k in range(self.n_subtasks):
                total += self._coordination(k, booking.delay[k], booking.servers)
        return weights["score"] * self._score({"delay_s": self._delay(booking)}) - weights["coordination"] * total

    def _timed_violation(self, booking: "Booking") -> Fraction:
        return self._deadlines(booking) + self._limits({"delay_s": self._delay(booking)})

    def _delays(self, booking: "Booking") -> list[Fraction]:
        """Return how long after its arrival each task is complete."""
        latest = [0] * len(self.arrival_ticks)
        for i, end in zip(self.facts.task, booking.end, strict=True):
            latest[i] = max(latest[i], end)
        return [Fraction(end - start, self.ticks) for end, start in zip(latest, self.arrival_ticks, strict=True)]

    def _delay(self, booking: "Booking") -> Fraction:
        return sum(self._delays(booking), Fraction(0))

    def _deadlines(self, booking: "Booking") -> Fraction:
        pairs = zip(self._delays(booking), self.facts.deadline, strict=True)
        return sum((_beyond(delay, deadline) for delay, deadline in pairs if deadline is not None), Fraction(0))

    def _limits(self, totals: Mapping[str, Fraction]) -> Fraction:
        limits = self.facts.limits
        return sum((_beyond(total, limits[name]) for name, total in totals.items() if name in limits), Fraction(0))

    def _score(self, totals: Mapping[str, Fraction]) -> Fraction:
        """Return what the totals that are given add to SC."""
        share = dict(zip(INDICATORS, ("delay", "energy", "cost"), strict=True))
        return sum(
            (self.facts.weights[share[name]] * _over(total, self.scales[name]) for name, total in totals.items()),
            Fraction(0),
        )

    def _coordination(self, k: int, delay: int, servers: Sequence[int]) -> Fraction:
        key = k, delay, (servers[k], *self.come_from(k, servers))
        if key not in self._h:
            spent = Fraction(delay, self.ticks), *self._spent(k, servers)
            self._h[key] = self._h_of(
                [_over(value, self.scales[name]) for name, value in zip(INDICATORS, spent, strict=True)]
            )
        return self._h[key]

    def _h_of(self, indicators: list[Fraction]) -> Fraction:
        how = self.facts.coordination
        if how["indicators"] == "benefits":
            indicators = [1 - min(Fraction(1), each) for each in indicators]
        total = sum(indicators)
        if total == 0:
            return Fraction(0)
        t, e, u = indicators
        share = decimal(t * e * u / total**3)
        if share == 0:
            return Fraction(0)
        rooted = share.sqrt(DIGITS) if how["root"] == 2 else DIGITS.power(share, DIGITS.divide(Decimal(1), Decimal(3)))
        weighed = sum(
            (Fraction(part) * each for part, each in zip(how["lambdas"], indicators, strict=True)), Fraction()
        )
        return Fraction(decimal(3 * weighed * Fraction(rooted)).sqrt(DIGITS))


class Booking:
    """Bookings one after another (MODEL.md section 3), in ticks.

    Parameters
    ----------
    exact
        The instance.
    servers
        Of each subtask.
    """

    def __init__(self, exact: ExactArithmetic, servers: list[int]) -> None:
        self._exact, self.servers = exact, servers
        n = exact.n_subtasks
        self.order: list[int] = []
        self.end, self.delay, self.sending, self.waiting = [0] * n, [0] * n, [0] * n, [0] * n
        self._free = [[0] * min(pool, n) for pool in exact.facts.pools]
        self.open = {k for k in range(n) if not exact.sources[k]}
        """subtasks whose inputs are booked"""

    def arrive(self, k: int) -> tuple[int, int]:
        """Return the ready time of a subtask and when its critical input was complete: the first, in a tie."""
        exact, s = self._exact, self.servers[k]
        ready = done_then = -1
        for x, q in enumerate(exact.come_from(k, self.servers)):
            source, _ = exact.facts.reads[k][x]
            done = exact.arrival_ticks[exact.facts.task[k]] if source == OWN_INPUT else self.end[source]
            there = done + exact.send_ticks[k, x, q, s]
            if there > ready:
                ready, done_then = there, done
        return ready, done_then

    def book(self, k: int) -> None:
        """Book a subtask on the slot that becomes free first."""
        exact, free = self._exact, self._free[self.servers[k]]
        ready, done = self.arrive(k)
        slot = free.index(min(free))
        start = max(ready, free[slot])
        self.end[k] = free[slot] = start + exact.run_ticks[k, self.servers[k]]
        self.delay[k], self.sending[k], self.waiting[k] = self.end[k] - done, ready - done, start - ready
        self.order.append(k)
        self.open.remove(k)
        booked = set(self.order)
        self.open |= {reader for reader in exact.readers[k] if exact.sources[reader] <= booked}

    def ends(self) -> Iterator["Booking"]:
        """Yield every way to go on; of two neighbours that don't touch one another the lower one is first."""
        if not self.open:
            yield self
            return
        for k in sorted(self.open):
            if self.order and k < (last := self.order[-1]) and not self._touch(last, k):
                continue
            further = self._copy()
            further.book(k)
            yield from further.ends()

    def _touch(self, before: int, k: int) -> bool:
        return self.servers[before] == self.servers[k] or before in self._exact.sources[k]

    def _copy(self) -> "Booking":
        other = object.__new__(Booking)
        other._exact, other.servers = self._exact, self.servers
        other.order, other.end, other.delay = self.order.copy(), self.end.copy(), self.delay.copy()
        other.sending, other.waiting = self.sending.copy(), self.waiting.copy()
        other._free, other.open = [row.copy() for row in self._free], self.open.copy()
        return other


def _over(value: Fraction | int, scale: Fraction) -> Fraction:
    return value / scale if scale else Fraction(0)


def _beyond(value: Fraction, admitted: Fraction) -> Fraction:
    return max(Fraction(0), value / admitted - 1)
