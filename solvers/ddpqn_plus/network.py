"""The shared network, compiled: every server goes through the same layers, and learns of the others by their mean.

Of a server's facts f, all servers' g and the weights::

    x = relu(f A + g B + a)          y = relu(x C + c)
    p = relu(mean(y) D + d)          z = relu(y E + p)
    advantage = z e                  value = p v + w

So Q doesn't depend on the order of the servers, nor the weights on their number. A server's first fact is 1; where
it is 0 there is none, only room in the array.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.compiled import compiled, inlined

from .features import GLOBAL, SERVER, Widths, widths

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

# Sums may be reordered, so that they are vectorised; the machine code is the same from run to run.
FASTMATH = {"contract", "reassoc", "nsz"}

Floats32 = NDArray[np.float32]

_WIDER = widths(True)


class Shape(NamedTuple):
    """Of a shared network."""

    first: int
    """neurons of x"""
    second: int
    """neurons of y, p and z"""
    dueling: bool
    """Q = value + advantage - mean(advantage); else Q = advantage + w"""
    constrained: bool = False
    """whether it sees what is about constraints"""

    @property
    def widths(self) -> Widths:
        """Of its observations."""
        return widths(self.constrained)

    @property
    def size(self) -> int:
        """How many weights there are."""
        return int(sum(np.prod(shape) for shape in self.layers()))

    def layers(self) -> list[tuple[int, ...]]:
        """Return the shapes of A, B, a, C, c, D, d, E, e, v, w, in the order of the flat weights."""
        h, k = self.first, self.second
        server, rest = self.widths
        return [(server, h), (rest, h), (h,), (h, k), (k,), (k, k), (k,), (k, k), (k,), (k,), (1,)]

    def draw(self, rng: np.random.Generator) -> Floats32:
        """Return first weights, uniform within 1 / sqrt(inputs), as torch's linear layers begin."""
        inputs = [sum(self.widths)] * 3 + [self.first] * 2 + [self.second] * 6
        parts = [
            rng.uniform(-1, 1, int(np.prod(shape))) / np.sqrt(n) for shape, n in zip(self.layers(), inputs, strict=True)
        ]
        return np.concatenate(parts).astype(np.float32)


@compiled(fastmath=FASTMATH)
def values(weights, first, second, dueling, constrained, observations, found):
    """Fill *found* with Q of every server, 0 where there is none, shape ``(rows, servers)``."""
    parts = _unpack(weights, first, second, constrained)
    layers = _room(found.shape[1], first, second)
    for row in range(found.shape[0]):
        _forward(parts, dueling, observations[row], layers, found[row])


@compiled(fastmath=FASTMATH)
def learn(
    weights, target, first, second, dueling, constrained, double, huber, observations, actions, rewards, discounts,
    allowed, importance, gradient, errors,
):  # fmt: skip
    """Fill the gradient of the loss and the temporal-difference errors of a batch; return the loss."""
    online, other = _unpack(weights, first, second, constrained), _unpack(target, first, second, constrained)
    into = _unpack(gradient, first, second, constrained)
    n, most = allowed.shape
    layers, room = _room(most, first, second), _room(1, first, second)
    q, following, slopes = np.empty(most, np.float32), np.empty(most, np.float32), np.empty(most, np.float32)
    gradient[:] = 0
    loss = 0.0
    for row in range(n):
        goal = rewards[row]
        if discounts[row] != 0:
            _forward(other, dueling, observations[n + row], layers, following)
            if double:
                _forward(online, dueling, observations[n + row], layers, q)
            goal += discounts[row] * following[_best(q if double else following, allowed[row])]
        _forward(online, dueling, observations[row], layers, q)
        action = actions[row]
        error = goal - q[action]
        errors[row] = error
        if huber:
            clipped = min(np.float32(1), max(np.float32(-1), error))
            loss += importance[row] * clipped * (error - clipped / 2)
            slope = -importance[row] * clipped / n
        else:
            loss += importance[row] * error * error
            slope = -2 * importance[row] * error / n
        slopes[:] = 0
        slopes[action] = slope
        _backward(online, into, dueling, observations[row], layers, room, slopes)
    return loss / n


def warm_up() -> None:
    """Load the compiled network, or compile it if it never ran here; for `Solver.warm_up`."""
    shape, row = Shape(1, 1, True), np.zeros(1, np.float32)
    weights, seen = np.zeros(shape.size, np.float32), np.ones((2, SERVER + GLOBAL), np.float32)
    values(weights, *shape, seen, np.empty((2, 1), np.float32))
    learn(
        weights, weights.copy(), *shape, True, True, seen, np.zeros(1, np.int64), row, row, np.ones((1, 1), np.bool_),
        row, weights.copy(), row.copy(),
    )  # fmt: skip
    reinforce(
        weights, *shape, seen[:1], np.ones((1, 1), np.bool_), np.zeros(1, np.int64), row, np.float32(0), weights.copy()
    )


@inlined(fastmath=FASTMATH)
def _unpack(flat, h, k, constrained):
    server, rest = (_WIDER.server, _WIDER.rest) if constrained else (SERVER, GLOBAL)
    at_b = server * h
    at_c = at_b + rest * h + h
    at_d = at_c + h * k + k
    at_e = at_d + k * k + k
    at_e0 = at_e + k * k
    return (
        flat[:at_b].reshape((server, h)), flat[at_b : at_c - h].reshape((rest, h)), flat[at_c - h : at_c],
        flat[at_c : at_d - k].reshape((h, k)), flat[at_d - k : at_d],
        flat[at_d : at_e - k].reshape((k, k)), flat[at_e - k : at_e],
        flat[at_e:at_e0].reshape((k, k)), flat[at_e0 : at_e0 + k], flat[at_e0 + k : at_e0 + 2 * k],
        flat[at_e0 + 2 * k :],
    )  # fmt: skip


@inlined
def _room(most, first, second):
    """Return room for the layers x, y, z, mean(y) and p of so many servers."""
    return (
        np.empty((most, first), np.float32), np.empty((most, second), np.float32), np.empty((most, second), np.float32),
        np.empty(second, np.float32), np.empty(second, np.float32),
    )  # fmt: skip


@compiled(fastmath=FASTMATH)
def _backward(parts, into, dueling, observation, layers, room, slopes):
    """Add the gradient of a row to *into*: *slopes* are the loss's by each server's value, 0 where there is none.

    *layers* are as `_forward` left them, *room* is for gradients by them.
    """
    a, b, _, c, _, d, _, e, e0, v, _ = parts
    d_a, d_b, d_a0, d_c, d_c0, d_d, d_d0, d_e, d_e0, d_v, d_w = into
    x, y, z, mean, p = layers
    to_x, to_y, to_z, to_mean, to_p = room[0][0], room[1][0], room[2][0], room[3], room[4]
    server, rest = a.shape[0], b.shape[0]
    first, second = c.shape
    most = slopes.size
    f, g = observation, observation[most * server :]
    there, total = np.float32(0), np.float32(0)
    for s in range(most):
        there += f[s * server]
        total += slopes[s]
    share = total / there if dueling else np.float32(0)
    to_p[:] = 0
    if dueling:
        for j in range(second):
            d_v[j] += total * p[j]
            to_p[j] = total * v[j]
    d_w[0] += total
    for s in range(most):
        if f[s * server] == 0:
            continue
        part = slopes[s] - share
        if part == 0:
            continue
        for j in range(second):
            d_e0[j] += part * z[s, j]
            if z[s, j] > 0:
                to_p[j] += part * e0[j]
    for j in range(second):
        if p[j] <= 0:
            to_p[j] = 0
        d_d0[j] += to_p[j]
    for i in range(second):
        sum_ = np.float32(0)
        for j in range(second):
            d_d[i, j] += mean[i] * to_p[j]
            sum_ += d[i, j] * to_p[j]
        to_mean[i] = sum_ / there
    all_x = np.zeros(first, np.float32)
    for s in range(most):
        if f[s * server] == 0:
            continue
        part = slopes[s] - share
        for j in range(second):
            to_z[j] = part * e0[j] if z[s, j] > 0 else np.float32(0)
        for i in range(second):
            sum_ = to_mean[i]
            for j in range(second):
                d_e[i, j] += y[s, i] * to_z[j]
                sum_ += e[i, j] * to_z[j]
            to_y[i] = sum_ if y[s, i] > 0 else np.float32(0)
            d_c0[i] += to_y[i]
        for i in range(first):
            sum_ = np.float32(0)
            for j in range(second):
                d_c[i, j] += x[s, i] * to_y[j]
                sum_ += c[i, j] * to_y[j]
            to_x[i] = sum_ if x[s, i] > 0 else np.float32(0)
            all_x[i] += to_x[i]
        for i in range(server):
            fact = f[s * server + i]
            for j in range(first):
                d_a[i, j] += fact * to_x[j]
    for j in range(first):
        d_a0[j] += all_x[j]
    for i in range(rest):
        for j in range(first):
            d_b[i, j] += g[i] * all_x[j]


@compiled(fastmath=FASTMATH)
def reinforce(
    weights, first, second, dueling, constrained, observations, allowed, actions, advantages, bonus, gradient,
):  # fmt: skip
    """Fill the gradient of a policy's loss, the mean over the rows; return the policy's mean entropy.

    The policy is the softmax of the values of allowed servers, the loss of a row
    ``-advantage * log(policy[action]) - bonus * entropy`` (Williams, 1992).
    """
    parts, into = _unpack(weights, first, second, constrained), _unpack(gradient, first, second, constrained)
    n, most = allowed.shape
    layers, room = _room(most, first, second), _room(1, first, second)
    q, share = np.empty(most, np.float32), np.empty(most, np.float32)
    gradient[:] = 0
    mean_entropy = 0.0
    for row in range(n):
        _forward(parts, dueling, observations[row], layers, q)
        highest, total, entropy = np.float32(-np.inf), np.float32(0), np.float32(0)
        for s in range(most):
            if allowed[row, s]:
                highest = max(highest, q[s])
        for s in range(most):
            share[s] = np.exp(q[s] - highest) if allowed[row, s] else np.float32(0)
            total += share[s]
        for s in range(most):
            share[s] /= total
            if allowed[row, s]:
                entropy -= share[s] * (q[s] - highest - np.log(total))
        mean_entropy += entropy / n
        for s in range(most):
            if not allowed[row, s]:
                q[s] = 0
                continue
            chosen = np.float32(1) if s == actions[row] else np.float32(0)
            by_bonus = bonus * share[s] * (q[s] - highest - np.log(total) + entropy)
            q[s] = (advantages[row] * (share[s] - chosen) + by_bonus) / n
        _backward(parts, into, dueling, observations[row], layers, room, q)
    return mean_entropy


@compiled(fastmath=FASTMATH)
def _forward(parts, dueling, observation, layers, q):
    """Fill the layers and *q*."""
    a, b, a0, c, c0, d, d0, e, e0, v, w = parts
    x, y, z, mean, p = layers
    first, second = c.shape
    server, rest = a.shape[0], b.shape[0]
    most = q.size
    base = np.empty(first, np.float32)
    for j in range(first):
        base[j] = a0[j]
    for i in range(rest):
        fact = observation[most * server + i]
        for j in range(first):
            base[j] += fact * b[i, j]
    mean[:] = 0
    there = np.float32(0)
    for s in range(most):
        if observation[s * server] == 0:
            continue
        there += 1
        for j in range(first):
            x[s, j] = base[j]
        for i in range(server):
            fact = observation[s * server + i]
            for j in range(first):
                x[s, j] += fact * a[i, j]
        for j in range(second):
            y[s, j] = c0[j]
        for i in range(first):
            value = max(np.float32(0), x[s, i])
            x[s, i] = value
            for j in range(second):
                y[s, j] += value * c[i, j]
        for j in range(second):
            y[s, j] = max(np.float32(0), y[s, j])
            mean[j] += y[s, j]
    for j in range(second):
        mean[j] /= max(np.float32(1), there)
        p[j] = d0[j]
    for i in range(second):
        for j in range(second):
            p[j] += mean[i] * d[i, j]
    for j in range(second):
        p[j] = max(np.float32(0), p[j])
    level = w[0]
    total = np.float32(0)
    if dueling:
        for j in range(second):
            level += p[j] * v[j]
    for s in range(most):
        q[s] = 0
        if observation[s * server] == 0:
            continue
        for j in range(second):
            z[s, j] = p[j]
        for i in range(second):
            for j in range(second):
                z[s, j] += y[s, i] * e[i, j]
        for j in range(second):
            z[s, j] = max(np.float32(0), z[s, j])
            q[s] += z[s, j] * e0[j]
        total += q[s]
    if dueling:
        level -= total / max(np.float32(1), there)
    for s in range(most):
        if observation[s * server] != 0:
            q[s] += level


@inlined
def _best(values, allowed):
    """Return the allowed server with the greatest value, the first of several."""
    best = -1
    for s in range(values.size):
        if allowed[s] and (best < 0 or values[s] > values[best]):
            best = s
    return best
