"""The child's side of `offbench.runs.process`: reads requests, a line of JSON each, and answers them.

What a solver prints goes to standard error, and the answers where it can't mistake them for its own. The process ends
with the one that asks, so that nothing outlives that: by its supervisor, and where that isn't, by the end of requests.
"""

import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from offbench.runs.process import TOKEN

Say = Callable[[Mapping[str, Any]], None]


def serve(
    greet: Callable[[], Mapping[str, Any]], answer: Callable[[dict[str, Any], Say], Mapping[str, Any] | None]
) -> None:
    """Greet, then answer requests until one is answered by None.

    Parameters
    ----------
    greet
        Loads what takes time; its result is sent first.
    answer
        Takes a request and a function that sends something before the answer; returns the answer.
    """
    gc.set_threshold(20_000, 20, 100)  # as in `offbench.cli.main`
    token = os.environ[TOKEN]
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, requests), daemon=True).start()

    def say(message: Mapping[str, Any]) -> None:
        # A line of its own, also where a solver has written half a one.
        answers.write(f"\n{token} {json.dumps(message)}\n".encode())
        answers.flush()

    say(greet())
    while (reply := answer(json.loads(requests.get()), say)) is not None:
        say(reply)


def _read(lines: IO[str], requests: "queue.SimpleQueue[str]") -> None:
    for line in lines:
        requests.put(line)
    os._exit(0)  # at once, whatever a solver is doing: nobody waits for its answer
