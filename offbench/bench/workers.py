"""Who runs the jobs: processes here, or a cluster of Dask or Ray, all behind joblib."""

import os
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from types import FrameType
from typing import Any, Literal

from offbench.bench.job import Job
from offbench.bench.row import Row
from offbench.errors import OffbenchError
from offbench.runs.safe_path import safe_path

Backend = Literal["loky", "dask", "ray"]
Execute = Callable[[Job, dict[str, Any], int], Row]
"""makes a run of a job, an instance as parsed JSON, and the number of runs at once on a machine"""

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""signals that ask a process to end"""

_HERE = "127.0.0.1"
# Between two looks of a worker here for the process that it works for.
_LOOK_S = 0.5
# How long a cluster may take to answer.
_REACH_S = 10


@dataclass(frozen=True)
class Workers:
    """Workers that are there."""

    backend: str
    """as joblib knows it"""
    jobs: int
    """runs at once"""
    jobs_here: int
    """of these, on one machine: the most that any has"""
    losses: tuple[type[Exception], ...]
    """what is raised where a worker died"""

    def run(self, execute: Execute, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
        """Yield the row of each job as it is done; jobs are taken as they can be begun."""
        from joblib import Parallel, delayed, parallel_config

        here = {"initializer": _end_with, "initargs": (os.getpid(),)} if self.backend == "loky" else {}
        with safe_path(), parallel_config(backend=self.backend, n_jobs=self.jobs, **here), warnings.catch_warnings():
            # joblib's, where what is done can't be kept, as on a full disk: that is told, and it is made again.
            warnings.filterwarnings("ignore", ".*You could benefit from adjusting the input task iterator", UserWarning)
            parallel = Parallel(return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
            yield from parallel(delayed(_in_worker)(os.getpid(), execute, *each) for each in work)


def _end_with(boss: int) -> None:
    """End this process soon after its parent *boss*, whatever ended that; idle, it would wait for minutes."""

    def look() -> None:
        while os.getppid() == boss:
            sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _in_worker(boss: int, execute: Execute, job: Job, instance: dict[str, Any], jobs: int) -> Row:
    """Make a run; what a terminal or a scheduler sends reaches workers too, but their end is for who has them."""
    # With one job joblib runs it in that process itself, whose Ctrl-C must work.
    if os.getpid() != boss and threading.current_thread() is threading.main_thread():
        for number in ENDING:
            signal.signal(number, _no_matter)
    return execute(job, instance, jobs)


def _no_matter(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike `SIG_IGN`, this isn't handed on to the processes that a run begins."""


@contextmanager
def workers(backend: Backend, address: str | None, jobs: int) -> Iterator[Workers]:
    """Reach the workers.

    Parameters
    ----------
    backend, address
        loky: processes here. dask, ray: the cluster at the address, or one of their own on this machine
        without.
    jobs
        How many runs at once; on a cluster, -1 for as many as it has room for.

    Raises
    ------
    OffbenchError
        If the backend isn't installed or the cluster can't be reached.
    """
    if backend == "loky":
        yield _here(jobs)
        return
    reach = {"dask": _dask, "ray": _ray}[backend]
    try:
        reached = reach(address, jobs)
        with safe_path():
            crew = next(reached)
    except ImportError as error:
        raise OffbenchError(
            f"--backend {backend}: not installed ({error}); pip install 'offbench[{backend}]'"
        ) from None
    except (OSError, ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        where = f"no cluster at {address}" if address else "can't start a cluster here"
        raise OffbenchError(
            f"--backend {backend}: {where}: {(str(error).splitlines() or ['no reason told'])[0]}"
        ) from None
    try:
        yield crew
    finally:
        reached.close()


def _here(jobs: int) -> Workers:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    return Workers("loky", jobs, jobs, (TerminatedWorkerError,))


def _dask(address: str | None, jobs: int) -> Generator[Workers, None, None]:
    from distributed import Client, KilledWorker, LocalCluster
    from distributed.comm import CommClosedError

    own = None
    if address is None:
        # For this machine alone: whoever reaches a scheduler or a worker has it run what they like.
        own = LocalCluster(n_workers=max(1, jobs), threads_per_worker=1, dashboard_address=None, host=_HERE)
    client = Client(own or address, timeout=_REACH_S)
    try:
        found = client.scheduler_info(n_workers=-1)["workers"].values()
        if not found:
            raise RuntimeError("it has no workers")
        slots = [worker["nthreads"] for worker in found]
        hosts = {worker["host"] for worker in found}
        most = max(sum(w["nthreads"] for w in found if w["host"] == host) for host in hosts)
        at_once = sum(slots) if jobs < 1 else jobs
        yield Workers("dask", at_once, min(at_once, most), (KilledWorker, CommClosedError))
    finally:
        client.close()
        if own is not None:
            own.close()


def _ray(address: str | None, jobs: int) -> Generator[Workers, None, None]:
    if address is None:
        # Else Ray takes the machine's own address in place of this one, on Linux too; read when it is imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray
    from joblib import register_parallel_backend
    from ray.util.joblib.ray_backend import RayBackend

    class Streaming(RayBackend):
        """Rows as they are done; joblib has that switched off for pools of processes, which Ray's isn't."""

        supports_return_generator = True

    begun = not ray.is_initialized()
    if begun:
        here: dict[str, Any] = {"num_cpus": max(1, jobs), "include_dashboard": False, "_node_ip_address": _HERE}
        ray.init(log_to_driver=False, logging_level="ERROR", **(here if address is None else {"address": address}))
    try:
        register_parallel_backend("offbench-ray", Streaming)
        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        at_once = int(sum(nodes)) if jobs < 1 else jobs
        losses = (ray.exceptions.RayActorError, ray.exceptions.WorkerCrashedError)
        yield Workers("offbench-ray", at_once, min(at_once, int(max(nodes))), losses)
    finally:
        if begun:
            ray.shutdown()
