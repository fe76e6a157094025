"""The rules that span the fields of an instance (MODEL.md sections 1 and 8); what breaks one is refused in one line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from offbench.errors import nearest
from offbench.model.facts import KINDS, Fact, Input, Layer, Limits, Link, Server, Task, TaskInput, some
from offbench.model.links import Links


def check_rules(
    form: str, servers: Sequence[Server], links: Sequence[Link], tasks: Sequence[Task], limits: Limits | None
) -> None:
    """Check what a field alone doesn't show.

    Raises
    ------
    ValueError
        If a rule is broken; the message names place and rule.
    """
    if form == "offbench/1":
        for place in _of_format_2(servers, links, tasks, limits):
            raise ValueError(f'{place}: is of format 2; say "format": "offbench/2" to use it')
    _check_servers(form, servers)
    _refuse_twins("tasks", [task.name for task in tasks])
    clients = [server.name for server in servers if server.kind == "client"]
    for i, task in enumerate(tasks):
        _check_client(f"tasks[{i}].client", task, clients)
    busy = dict.fromkeys(task.client or clients[0] for task in tasks)
    _check_links(servers, links, busy)
    kinds = {server.name: server.kind for server in servers}
    several = len(clients) > 1
    remote = {server.name: server.kind for server in servers if server.kind != "client"}
    sizes: dict[str, tuple[float, str]] = {}
    for i, task in enumerate(tasks):
        own = task.client or clients[0]
        _check_layers(f"tasks[{i}]", task, own, kinds, several)
        for j, layer in enumerate(task.layers):
            place = f"tasks[{i}].layers[{j}]"
            _check_seconds(place, layer, own, kinds, remote)
            check_weights(place, layer, sizes)


def _of_format_2(
    servers: Sequence[Server], links: Sequence[Link], tasks: Sequence[Task], limits: Limits | None
) -> Iterator[str]:
    """Yield the places of fields that format 1 doesn't have."""
    if limits is not None:
        yield "limits"
    for s, server in enumerate(servers):
        yield from _used(f"servers[{s}]", server, "memory_mb", "idle_power_w")
    for k, link in enumerate(links):
        yield from _used(f"links[{k}]", link, "from_", "to", "latency_s")
    for i, task in enumerate(tasks):
        yield from _used(f"tasks[{i}]", task, "client", "deadline_s")
        for j, layer in enumerate(task.layers):
            place = f"tasks[{i}].layers[{j}]"
            yield from _used(place, layer, "seconds", "weights_mb", "weights_id")
            for x, each in enumerate(layer.inputs):
                if not isinstance(each, str):
                    yield f"{place}.inputs[{x}]"


def _used(place: str, fact: Fact, *names: str) -> Iterator[str]:
    for name in names:
        # What has its default says nothing.
        if name in fact.model_fields_set and getattr(fact, name) != type(fact).model_fields[name].default:
            yield f"{place}.{name.rstrip('_')}"


def _refuse_twins(place: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        seen: dict[str, int] = {}
        for i, name in enumerate(names):
            if name in seen:
                raise ValueError(f"{place}[{i}].name: '{name}' is already the name of {place}[{seen[name]}]")
            seen[name] = i


def _check_servers(form: str, servers: Sequence[Server]) -> None:
    _refuse_twins("servers", [server.name for server in servers])
    clients = [server.name for server in servers if server.kind == "client"]
    if form == "offbench/1" and len(clients) != 1:
        found = "none" if not clients else f"{len(clients)} ({some(clients)})"
        hint = "; format offbench/2 may have several" if clients else ""
        raise ValueError(f"servers: exactly one must be of kind 'client', found {found}{hint}")
    if not clients:
        raise ValueError("servers: at least one must be of kind 'client', found none")
    for s, server in enumerate(servers):
        # `between: ["edge", ...]` must mean one thing.
        if server.name in KINDS and (
            server.kind != server.name or sum(other.kind == server.kind for other in servers) > 1
        ):
            raise ValueError(
                f"servers[{s}].name: '{server.name}' is the name of a kind and would be ambiguous in links"
            )
        if server.idle_power_w is not None and server.kind != "client":
            article = "an" if server.kind == "edge" else "a"
            raise ValueError(
                f"servers[{s}].idle_power_w: only a client has it; '{server.name}' is {article} {server.kind}"
            )


def _check_client(place: str, task: Task, clients: Sequence[str]) -> None:
    if task.client is None:
        if len(clients) > 1:
            raise ValueError(f"{place}: this field is missing; there are several clients: {some(clients)}")
    elif task.client not in clients:
        raise ValueError(
            f"{place}: '{task.client}' is no client of this instance{nearest(task.client, list(clients))}; "
            f"clients: {some(clients)}"
        )


def _check_links(servers: Sequence[Server], links: Sequence[Link], busy: Iterable[str]) -> None:
    kind_of: dict[str, str] = {server.name: server.kind for server in servers}
    several = sum(server.kind == "client" for server in servers) > 1
    seen: dict[Any, int] = {}
    for k, link in enumerate(links):
        place = f"links[{k}].between" if not link.directed else f"links[{k}]"
        for field, end in zip(("from", "to"), link.ends, strict=True):
            if end not in kind_of and end not in KINDS:
                hint = nearest(end, [*kind_of, *KINDS])
                where = f"{place}.{field}" if link.directed else place
                raise ValueError(f"{where}: '{end}' is neither a server nor a kind ({', '.join(KINDS)}){hint}")
        one, other = link.ends
        kinds = one in KINDS and other in KINDS
        if not kinds and (one not in kind_of or other not in kind_of):
            raise ValueError(f"{place}: '{one}' and '{other}': must be two kinds or two server names")
        if one == other and (not kinds or (one == "client" and not several)):
            raise ValueError(f"{place}: '{one}' can't be linked with itself")
        ends = (one, other) if link.directed else frozenset((one, other))
        if ends in seen:
            joined = f"from '{one}' to '{other}' is" if link.directed else f"'{one}' and '{other}' are"
            raise ValueError(f"{place}: {joined} already linked by links[{seen[ends]}]")
        seen[ends] = k
        if link.transmit_power_w > 0 and "client" not in (kind_of.get(one, one), kind_of.get(other, other)):
            raise ValueError(f"links[{k}].transmit_power_w: must be 0, for the client is no end of this link")
    _check_transfers(servers, links, busy)


def _check_transfers(servers: Sequence[Server], links: Sequence[Link], busy: Iterable[str]) -> None:
    """Each transfer that a task may need has a link; clients that have the same links are looked at once."""
    place_of = {id(link): f"links[{k}]" for k, link in enumerate(links)}
    known = Links(servers, links)
    number = {server.name: s for s, server in enumerate(servers)}
    remote = [s for s, server in enumerate(servers) if server.kind != "client"]
    alike = None
    pairs = []
    for client in (number[name] for name in busy):
        if not known.names(client):
            if alike is not None:
                continue
            alike = client
        pairs += [(client, s) for s in remote]
    pairs += [(a, b) for x, a in enumerate(remote) for b in remote[x + 1 :]]
    for a, b in sorted(pairs):
        there, back = known.at(a, b), known.at(b, a)
        if there is None or back is None:
            one, other = (servers[a], servers[b]) if there is None else (servers[b], servers[a])
            how = "none joins '{}' and '{}'" if there is back else "none leads from '{}' to '{}'"
            how = how.format(one.name, other.name)
            raise ValueError(f"links: {how} (kinds '{one.kind}' and '{other.kind}')")
        for link in (there, back):
            if link.shannon is not None:
                _check_radio(place_of[id(link)], servers[a], servers[b])


def _check_radio(place: str, a: Server, b: Server) -> None:
    if "client" not in (a.kind, b.kind):
        raise ValueError(f"{place}.shannon: joins '{a.name}' and '{b.name}'; a wireless link has the client as an end")
    remote = b if a.kind == "client" else a
    if remote.radio is None:
        raise ValueError(f"{place}.shannon: needs the remote end's radio, but '{remote.name}' has none")


class Reads(Protocol):
    """A layer, as far as what it reads."""

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> tuple[Input, ...]: ...


def check_inputs(place: str, layers: Sequence[Reads], of: str) -> None:
    """Check that layers have names of their own and read earlier ones.

    Parameters
    ----------
    place
        What errors call the layers, such as ``tasks[0].layers``.
    layers
        In topological order.
    of
        What they are the layers of, such as ``task 'alexnet'``.

    Raises
    ------
    ValueError
        If a rule is broken; the message names place and rule.
    """
    _refuse_twins(place, [layer.name for layer in layers])
    number = {layer.name: j for j, layer in enumerate(layers)}
    for j, layer in enumerate(layers):
        here = f"{place}[{j}]"
        sources = _sources(layer)
        if len(set(sources)) < len(sources):
            twin = next(name for k, name in enumerate(sources) if name in sources[:k])
            raise ValueError(f"{here}.inputs: '{twin}' is named twice")
        for k, each in enumerate(layer.inputs):
            source = each if isinstance(each, str) else getattr(each, "layer", None)
            if source is None:
                continue
            where = f"{here}.inputs[{k}]" + ("" if isinstance(each, str) else ".layer")
            if source not in number:
                hint = nearest(source, list(number))
                raise ValueError(f"{where}: '{source}' is no layer of {of}{hint}")
            if number[source] >= j:
                cycle = _cycle(layers, number)
                reason = f"a cycle: {' -> '.join(cycle)}" if cycle else "layers must follow their inputs"
                raise ValueError(f"{where}: '{source}' is no earlier layer than '{layer.name}': {reason}")


def _sources(layer: Reads) -> list[str]:
    return [each if isinstance(each, str) else each.layer for each in layer.inputs if not isinstance(each, TaskInput)]


def _check_layers(place: str, task: Task, own: str, kinds: Mapping[str, str], several: bool) -> None:
    check_inputs(f"{place}.layers", task.layers, f"task '{task.name}'")
    for j, layer in enumerate(task.layers):
        here = f"{place}.layers[{j}]"
        if layer.allowed is not None:
            for k, server in enumerate(layer.allowed):
                if server not in kinds:
                    may = [name for name, kind in kinds.items() if kind != "client" or name == own or not several]
                    hint = f"{nearest(server, sorted(kinds))}; servers: {some(may, 12)}"
                    raise ValueError(f"{here}.allowed[{k}]: '{server}' is no server of this instance{hint}")
                if several and kinds[server] == "client" and server != own:
                    raise ValueError(
                        f"{here}.allowed[{k}]: '{server}' is another client than '{own}', of which task "
                        f"'{task.name}' is"
                    )
            if len(set(layer.allowed)) < len(layer.allowed):
                raise ValueError(f"{here}.allowed: a server is named twice")


def _check_seconds(place: str, layer: Layer, own: str, kinds: Mapping[str, str], remote: Mapping[str, str]) -> None:
    stated = layer.seconds or {}
    for name in stated:
        if name not in kinds and name not in KINDS:
            hint = nearest(name, [*kinds, *KINDS])
            raise ValueError(f"{place}.seconds: '{name}' is neither a server nor a kind ({', '.join(KINDS)}){hint}")
    if layer.gcycles is None:
        used = {own: "client", **remote}
        missing = next((name for name, kind in used.items() if name not in stated and kind not in stated), None)
        if missing is not None:
            also = f", and 'seconds' doesn't name '{missing}'" if layer.seconds is not None else ""
            raise ValueError(f"{place}.gcycles: this field is missing{also}")


class Weighs(Protocol):
    """A layer, as far as its weights."""

    @property
    def weights_mb(self) -> float: ...

    @property
    def weights_id(self) -> str | None: ...


def check_weights(place: str, layer: Weighs, sizes: dict[str, tuple[float, str]]) -> None:
    """Check that layers which name the same weights say the same size; *sizes* keeps what was said, and where.

    Raises
    ------
    ValueError
        If they don't.
    """
    if layer.weights_id is None:
        return
    size, first = sizes.setdefault(layer.weights_id, (layer.weights_mb, place))
    if size != layer.weights_mb:
        raise ValueError(
            f"{place}.weights_mb: {layer.weights_mb:g}, but {first} has {size:g} for the same weights_id "
            f"'{layer.weights_id}'; must be the same"
        )


def _cycle(layers: Sequence[Reads], number: dict[str, int]) -> list[str]:
    import networkx as nx

    graph = nx.DiGraph((source, layer.name) for layer in layers for source in _sources(layer) if source in number)
    try:
        edges = nx.find_cycle(graph)
    except nx.NetworkXNoCycle:
        return []
    return [edges[0][0], *(edge[1] for edge in edges)]
