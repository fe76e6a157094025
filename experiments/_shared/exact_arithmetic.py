"""The objective of MODEL.md sections 1 to 4 without rounding, and the optimum of tiny instances by enumeration.

Written from MODEL.md alone: nothing of `offbench.evaluation` is used. The numbers of an instance are taken for exactly
what they are in binary. Sums, products and quotients are fractions; times are whole numbers over one denominator. The
roots of Eq. 10 and 11 and the logarithm of Eq. 2 have 60 digits.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import combinations, product

from offbench.model.instance import Instance, Link, Server

_DIGITS = Context(prec=60)

_Spent = tuple[Fraction, Fraction, Fraction]


@dataclass(frozen=True)
class ExactOptimum:
    """The least objective, and a placement that has it."""

    objective: Fraction
    servers: tuple[int, ...]
    order: tuple[int, ...]


class ExactArithmetic:
    """An instance of format ``offbench/1`` in exact numbers.

    Subtasks are numbered tasks in order, layers in order; servers as in the instance.

    Parameters
    ----------
    instance
        The instance.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        servers = instance.servers
        self.n_servers = len(servers)
        layers = [(i, layer) for i, task in enumerate(instance.tasks) for layer in task.layers]
        self.n_subtasks = len(layers)
        self._task = [i for i, _ in layers]
        self._client = next(s for s, server in enumerate(servers) if server.kind == "client")
        names = {server.name: s for s, server in enumerate(servers)}
        everywhere = tuple(range(len(servers)))
        self.allowed = [
            everywhere if layer.allowed is None else tuple(sorted({names[name] for name in layer.allowed}))
            for _, layer in layers
        ]
        # Of each subtask its inputs: the subtask that it reads, -1 for the task's own input, and how many MB.
        self._inputs: list[list[tuple[int, Fraction]]] = []
        for i, task in enumerate(instance.tasks):
            known = {layer.name: len(self._inputs) + j for j, layer in enumerate(task.layers)}
            size = {layer.name: Fraction(layer.output_mb) for layer in task.layers}
            for layer in task.layers:
                read = [(known[name], size[name]) for name in layer.inputs]
                self._inputs.append(read or [(-1, Fraction(instance.tasks[i].input_mb))])
        # What running and sending come to: seconds, J and $.
        self._ran: dict[tuple[int, int], _Spent] = {}
        self._sent: dict[tuple[int, int, int, int], _Spent] = {}
        """by subtask, input, from which server and to which"""
        for k, (_, layer) in enumerate(layers):
            for s, server in enumerate(servers):
                run_s = Fraction(layer.gcycles) / Fraction(server.compute_ghz)
                power_w, usd_per_s = Fraction(server.client_power_w), Fraction(server.price_per_hour) / 3600
                self._ran[k, s] = run_s, power_w * run_s, usd_per_s * run_s
        for a, b in product(everywhere, everywhere):
            s_per_mb = power_w = usd_per_mb = Fraction(0)
            if a != b:
                link = _link(instance, a, b)
                s_per_mb, power_w = 1 / _rate(link, servers, a, b), Fraction(link.transmit_power_w)
                usd_per_mb = Fraction(link.price_per_gb) / 1000
            for k, row in enumerate(self._inputs):
                for x, (_, mb) in enumerate(row):
                    self._sent[k, x, a, b] = mb * s_per_mb, power_w * mb * s_per_mb, usd_per_mb * mb
        self._set_scales()
        # Times as whole numbers of ticks.
        arrivals = [Fraction(task.arrival_s) for task in instance.tasks]
        durations = [*arrivals, *(s for s, _, _ in (*self._ran.values(), *self._sent.values()))]
        self._ticks = math.lcm(*(s.denominator for s in durations))
        self._arrival = [int(s * self._ticks) for s in arrivals]
        self._run_ticks = {key: int(s * self._ticks) for key, (s, _, _) in self._ran.items()}
        self._send_ticks = {key: int(s * self._ticks) for key, (s, _, _) in self._sent.items()}
        self._h: dict[tuple[int, int, tuple[int, ...]], Fraction] = {}

    def _set_scales(self) -> None:
        stated, everywhere = self._instance.scales, range(self.n_servers)
        kinds = [server.kind for server in self._instance.servers]
        if stated is not None:
            self.scales = tuple(
                Fraction(scale) for scale in (stated.delay_s, stated.energy_j, stated.cost_usd, stated.balance)
            )
            return
        largest = [Fraction(0)] * 3
        for (k, s), ran in self._ran.items():
            starts = [[self._client] if source < 0 else everywhere for source, _ in self._inputs[k]]
            sent = [[max(self._sent[k, x, q, s][i] for q in those) for x, those in enumerate(starts)] for i in range(3)]
            found = ran[0] + max(sent[0]), ran[1] + sum(sent[1]), ran[2] + sum(sent[2])
            largest = [max(pair) for pair in zip(largest, found, strict=True)]
        pairs = max(kinds.count("edge") - 1, kinds.count("cloud") - 1, 0)
        self.scales = (*largest, Fraction(pairs * self.n_subtasks))

    def objective(self, servers: Sequence[int], order: Sequence[int] | None = None) -> Fraction:
        """Return Q of a placement; first come, first served without an order.

        Raises
        ------
        ValueError
            If a server isn't allowed, or the order isn't one.
        """
        servers = [int(s) for s in servers]
        if len(servers) != self.n_subtasks or any(s not in self.allowed[k] for k, s in enumerate(servers)):
            raise ValueError("a server isn't allowed")
        booking = _Booking(self, servers)
        if order is None:
            while booking.open:
                booking.book(min(booking.open, key=lambda k: (booking.arrive(k)[0], k)))
        else:
            for k in order:
                if k not in booking.open:
                    raise ValueError("the order has a subtask twice, or before an input")
                booking.book(int(k))
            if booking.open:
                raise ValueError("the order leaves subtasks out")
        return self._constant(servers) + self._timed(booking)

    def placements(self, servers: Sequence[int] | None = None) -> Iterator[ExactOptimum]:
        """Yield every placement with a dispatch order, of orders that book alike only one.

        Parameters
        ----------
        servers
            P2: the server of each subtask. Without it, all that are allowed (P1).
        """
        choices = [(int(s),) for s in servers] if servers is not None else self.allowed
        for at in product(*choices):
            constant = self._constant(at)
            for booking in _Booking(self, list(at)).ends():
                yield ExactOptimum(constant + self._timed(booking), at, tuple(booking.order))

    def optimum(self, servers: Sequence[int] | None = None) -> ExactOptimum:
        """Return the best of `placements`."""
        return min(self.placements(servers), key=lambda each: each.objective)

    def client_only(self) -> Fraction:
        """Return Q of everything on the client; what may not run there stands where it first may."""
        return self.objective([self._client if self._client in may else may[0] for may in self.allowed])

    def _constant(self, servers: Sequence[int]) -> Fraction:
        """Return what of Q the servers alone decide: energy, cost, balance."""
        weights, (_, energy_scale, cost_scale, balance_scale) = self._instance.weights, self.scales
        spent = [self._spent(k, servers) for k in range(self.n_subtasks)]
        energy, cost = sum(j for j, _ in spent), sum(usd for _, usd in spent)
        kinds = [server.kind for server in self._instance.servers]
        groups = [[s for s, kind in enumerate(kinds) if kind == wanted] for wanted in ("edge", "cloud")]
        count, imbalances = [0] * self.n_servers, 0
        for s in servers:
            count[s] += 1
            imbalances += sum(abs(count[a] - count[b]) for group in groups for a, b in combinations(group, 2))
        share = Fraction(weights.energy) * _over(energy, energy_scale)
        share += Fraction(weights.cost) * _over(cost, cost_scale)
        return Fraction(weights.score) * share + Fraction(weights.balance) * _over(imbalances, balance_scale)

    def _spent(self, k: int, servers: Sequence[int]) -> tuple[Fraction, Fraction]:
        s = servers[k]
        _, energy, cost = self._ran[k, s]
        for x, q in enumerate(self._from(k, servers)):
            _, sent_j, sent_usd = self._sent[k, x, q, s]
            energy, cost = energy + sent_j, cost + sent_usd
        return energy, cost

    def _from(self, k: int, servers: Sequence[int]) -> tuple[int, ...]:
        return tuple(self._client if source < 0 else servers[source] for source, _ in self._inputs[k])

    def _timed(self, booking: "_Booking") -> Fraction:
        """Return what of Q depends on times: delay and coordination."""
        weights, delay_scale = self._instance.weights, self.scales[0]
        total, latest = Fraction(0), [0] * len(self._arrival)
        for k, end in enumerate(booking.end):
            latest[self._task[k]] = max(latest[self._task[k]], end)
        delay = Fraction(sum(latest) - sum(self._arrival), self._ticks)
        if weights.coordination > 0:
            for k in range(self.n_subtasks):
                total += self._coordination(k, booking.delay[k], booking.servers)
        share = Fraction(weights.score) * Fraction(weights.delay) * _over(delay, delay_scale)
        return share - Fraction(weights.coordination) * total

    def _coordination(self, k: int, delay: int, servers: Sequence[int]) -> Fraction:
        key = k, delay, (servers[k], *self._from(k, servers))
        if key not in self._h:
            energy, cost = self._spent(k, servers)
            indicators = [
                _over(value, scale)
                for value, scale in zip((Fraction(delay, self._ticks), energy, cost), self.scales, strict=False)
            ]
            self._h[key] = self._h_of(indicators)
        return self._h[key]

    def _h_of(self, indicators: list[Fraction]) -> Fraction:
        how = self._instance.coordination
        if how.indicators == "benefits":
            indicators = [1 - min(Fraction(1), each) for each in indicators]
        total = sum(indicators)
        if total == 0:
            return Fraction(0)
        t, e, u = indicators
        share = _decimal(t * e * u / total**3)
        if share == 0:
            return Fraction(0)
        rooted = share.sqrt(_DIGITS) if how.root == 2 else _DIGITS.power(share, _DIGITS.divide(Decimal(1), Decimal(3)))
        weighed = sum((Fraction(part) * each for part, each in zip(how.lambdas, indicators, strict=True)), Fraction(0))
        return Fraction(_decimal(3 * weighed * Fraction(rooted)).sqrt(_DIGITS))


class _Booking:
    """Bookings one after another (MODEL.md section 3), in ticks."""

    def __init__(self, exact: ExactArithmetic, servers: list[int]) -> None:
        self._exact, self.servers = exact, servers
        n = exact.n_subtasks
        self.order: list[int] = []
        self.end, self.delay = [0] * n, [0] * n
        self._free = [[0] * min(server.pool, n) for server in exact._instance.servers]
        self.open = {k for k in range(n) if exact._inputs[k][0][0] < 0}

    def arrive(self, k: int) -> tuple[int, int]:
        """Return the ready time of a subtask and when its critical input was complete: the first, in a tie."""
        exact, s = self._exact, self.servers[k]
        ready = sent = -1
        for x, (source, _) in enumerate(exact._inputs[k]):
            done = exact._arrival[exact._task[k]] if source < 0 else self.end[source]
            q = exact._client if source < 0 else self.servers[source]
            there = done + exact._send_ticks[k, x, q, s]
            if there > ready:
                ready, sent = there, done
        return ready, sent

    def book(self, k: int) -> None:
        """Book a subtask on the slot that becomes free first."""
        exact, free = self._exact, self._free[self.servers[k]]
        ready, sent = self.arrive(k)
        slot = free.index(min(free))
        start = max(ready, free[slot])
        self.end[k] = free[slot] = start + exact._run_ticks[k, self.servers[k]]
        self.delay[k] = self.end[k] - sent
        self.order.append(k)
        self.open.remove(k)
        booked = set(self.order)
        self.open |= {
            reader for reader in range(exact.n_subtasks)
            if reader not in booked and any(source == k for source, _ in exact._inputs[reader])
            and all(source in booked for source, _ in exact._inputs[reader])
        }  # fmt: skip

    def ends(self) -> Iterator["_Booking"]:
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
        return self.servers[before] == self.servers[k] or any(x == before for x, _ in self._exact._inputs[k])

    def _copy(self) -> "_Booking":
        other = object.__new__(_Booking)
        other._exact, other.servers = self._exact, self.servers
        other.order, other.end, other.delay = self.order.copy(), self.end.copy(), self.delay.copy()
        other._free, other.open = [row.copy() for row in self._free], self.open.copy()
        return other


def _over(value: Fraction | int, scale: Fraction) -> Fraction:
    return value / scale if scale else Fraction(0)


def _decimal(value: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _link(instance: Instance, a: int, b: int) -> Link:
    one, other = instance.servers[a], instance.servers[b]
    for ends, of_kinds in (({one.name, other.name}, False), ({one.kind, other.kind}, True)):
        for link in instance.links:
            if set(link.between) == ends and (set(link.between) <= {"client", "edge", "cloud"}) == of_kinds:
                return link
    raise ValueError(f"no link between {one.name} and {other.name}")


def _rate(link: Link, servers: Sequence[Server], a: int, b: int) -> Fraction:
    if link.shannon is None:
        assert link.rate_mb_per_s is not None
        return Fraction(link.rate_mb_per_s)
    remote = servers[b] if servers[a].kind == "client" else servers[a]
    own = remote.radio
    assert own is not None
    noise = Fraction(link.shannon.noise_w)
    for other in servers:
        if other.name != remote.name and other.radio is not None and other.radio.channel == own.channel:
            noise += Fraction(other.radio.power_w) * Fraction(other.radio.gain)
    ratio = 1 + Fraction(own.power_w) * Fraction(own.gain) / noise
    log2 = _DIGITS.divide(_decimal(ratio).ln(_DIGITS), Decimal(2).ln(_DIGITS))
    return Fraction(link.shannon.bandwidth_mhz) * 10**6 * Fraction(log2) / (8 * 10**6)
