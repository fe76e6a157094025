"""HiGHS through Pyomo's in-process interface, with news while it runs.

Pyomo's interface builds the HiGHS model and reads its result; here it runs in a thread of its own, so
that signals, the search's end and Ctrl-C reach Python in the main thread and no exception ever passes
through HiGHS. The callbacks only put news into a queue and answer whether to stop.
"""

import io
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from pyomo.contrib.solver.common.results import Results
from pyomo.contrib.solver.solvers.highs import Highs

from offbench.solvers.milp.tolerances import lowered, margin

Floats = NDArray[np.float64]
Callbacks = highspy.cb.HighsCallbackType

_POLL_S = 0.02


class StreamingHighs(Highs):
    """Pyomo's HiGHS, telling improving solutions and bounds while it runs."""

    factor: float = 1.0
    """what HiGHS minimises is the objective times this, costs that are too large lowered"""
    margin: float = 0.0
    """by how much the last run's bounds may be too high, for all that HiGHS's tolerances are worth"""
    # Set on the object; Pyomo calls __init__ again for each model.
    on_solution: Callable[[Floats], None] = staticmethod(lambda values: None)
    on_bound: Callable[[float], None] = staticmethod(lambda bound: None)
    on_wait: Callable[[], None] = staticmethod(lambda: None)

    def values_of(self, variables: Any, values: Floats) -> dict[Any, float]:
        """Return the values of an indexed variable by index; those that no constraint has are 0."""
        column = self._pyomo_var_to_solver_var_map
        return {index: float(values[column[id(v)]]) if id(v) in column else 0.0 for index, v in variables.items()}

    def _solve(self) -> Results:
        config, highs = self._active_config, self._solver_model
        options = {"output_flag": False, "threads": config.threads, "time_limit": config.time_limit}
        for name, value in (options | dict(config.solver_options)).items():
            if value is not None:
                highs.setOptionValue(name, value)
        lp = highs.getLp()
        lower, upper = np.array(lp.col_lower_), np.array(lp.col_upper_)
        costs = lowered(np.array(lp.col_cost_, dtype=np.float64) * self.factor, lower)
        self.margin = margin(costs, lower, upper, lp.offset_ * self.factor) / self.factor
        highs.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        highs.changeObjectiveOffset(lp.offset_ * self.factor)
        self._run()
        return self._postsolve(io.StringIO())

    @property
    def bound(self) -> float:
        """The last run's lower bound on the objective."""
        return float(self._solver_model.getInfo().mip_dual_bound) / self.factor

    def _run(self) -> None:
        news: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        stop = Event()
        best_bound = [-np.inf]

        def tell(kind: Any, message: str, out: Any, answer: Any, data: Any) -> None:
            if kind == Callbacks.kCallbackMipImprovingSolution:
                news.put(("solution", np.array(out.mip_solution)))
            elif kind == Callbacks.kCallbackMipInterrupt and out.mip_dual_bound > best_bound[0]:
                best_bound[0] = out.mip_dual_bound
                news.put(("bound", out.mip_dual_bound / self.factor))
            if answer is not None and stop.is_set():
                answer.user_interrupt = True

        def work() -> None:
            try:
                highs.run()
            finally:
                news.put(("end", None))

        highs = self._solver_model
        highs.setCallback(tell, None)
        for kind in (
            Callbacks.kCallbackMipImprovingSolution,
            Callbacks.kCallbackMipInterrupt,
            Callbacks.kCallbackSimplexInterrupt,
        ):
            highs.startCallback(kind)
        thread = Thread(target=work, name="HiGHS", daemon=True)
        thread.start()
        try:
            self._listen(news)
        finally:
            stop.set()
            _join(thread)
            highs.setCallback(None, None)

    def _listen(self, news: "SimpleQueue[tuple[str, Any]]") -> None:
        while True:
            try:
                kind, value = news.get(timeout=_POLL_S)
            except Empty:
                self.on_wait()
                continue
            if kind == "end":
                return
            if kind == "solution":
                self.on_solution(value)
            else:
                self.on_bound(value)


def _join(thread: Thread) -> None:
    """Wait for the end of a thread, whatever is raised meanwhile; one left behind would fail at Python's exit."""
    raised: BaseException | None = None
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        raise raised
