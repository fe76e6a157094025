"""Which link a transfer takes (MODEL.md section 1)."""

from collections.abc import Iterable, Sequence

from offbench.model.facts import KINDS, Link, Server


class Links:
    """The links of an instance, to be asked for the one between two servers.

    Of several that fit a transfer the first of these counts: from and to the two servers, between the two servers, from
    and to their kinds, between their kinds.

    Parameters
    ----------
    servers, links
        Those of the instance.
    """

    def __init__(self, servers: Sequence[Server], links: Iterable[Link]) -> None:
        self._servers = servers
        names = {server.name for server in servers}
        self._of_names: dict[tuple[str, str], Link] = {}
        self._of_kinds: dict[tuple[str, str], Link] = {}
        # Those of both directions first, so that those of one take their place.
        for link in sorted(links, key=lambda link: link.directed):
            one, other = link.ends
            # A server may have the name of its kind, where it is the only one of it.
            named = one in names and other in names and not (one in KINDS and other in KINDS)
            table = self._of_names if named else self._of_kinds
            table[one, other] = link
            if not link.directed:
                table[other, one] = link
        self._named = {name for ends in self._of_names for name in ends}

    def at(self, a: int, b: int) -> Link | None:
        """Return the link of a transfer from server *a* to server *b*, by their indices; None without one."""
        one, other = self._servers[a], self._servers[b]
        return self._of_names.get((one.name, other.name)) or self._of_kinds.get((one.kind, other.kind))

    def names(self, s: int) -> bool:
        """Tell whether a link names server *s*; else its kind decides which links it has."""
        return self._servers[s].name in self._named
