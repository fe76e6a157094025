"""Networks cut, run on processes and measured; what goes wrong on the way is told, and nothing is left over."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import psutil
import pytest
from typer.testing import CliRunner

from emulate.emulated_networks import branches, chain, deployed, knots
from offbench import P1, Instance, OffbenchError, Placement
from offbench.cli import app
from offbench.emulate.cluster import Cluster, Ended
from offbench.emulate.comparison import compared
from offbench.emulate.manifest import Cut, cut
from offbench.emulate.measuring import Emulation, emulate
from offbench.emulate.wire import receive, send, size_of
from offbench.emulate.words import facts, in_words
from offbench.importers.onnxruntime.measuring import drawn_inputs
from offbench.report.emulation import emulation_page

SHAPES = {"x": (3, 16)}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Emulation:
    folder = tmp_path_factory.mktemp("emulated")
    path = knots(folder)
    instance = deployed(path)
    servers = np.arange(P1(instance).n_subtasks) % 3
    servers[-1] = 0
    return emulate(instance, Placement(servers), path, runs=3, warm_up=1)


def test_what_is_measured_is_in_the_order_of_what_happens(found: Emulation) -> None:
    assert found.error is None and found.runs == 3 and found.difference <= 1e-6
    made = found.cut.parts
    for part in made.pieces:
        assert (found.ready[:, part.number] <= found.start[:, part.number]).all()
        assert (found.start[:, part.number] <= found.computed[:, part.number]).all()
        assert (found.computed[:, part.number] <= found.end[:, part.number]).all()
        for before in part.after:
            assert (found.end[:, before] <= found.start[:, part.number]).all()
    for one in made.messages:
        assert (found.sent[:, one.number] <= found.came[:, one.number]).all()
        for reader in one.readers:
            assert (found.there[:, one.number] <= found.start[:, reader]).all()
        if one.after is not None:
            assert (found.end[:, one.after] == found.sent[:, one.number]).all()
    # Paced parts and shaped links are never faster than was predicted.
    for row in compared(found):
        assert row.low_s >= row.predicted_s * (1 - 1e-9), row


def test_it_is_told_in_words_as_json_and_as_a_page(found: Emulation) -> None:
    first, *_, last = in_words(found)
    assert "from the input to the end (median of 3 runs" in first and "were predicted" in first
    assert "added up" in " ".join(in_words(found))
    assert last.startswith("The cut network's outputs are those of the uncut one")
    told = facts(found)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [row["kind"] for row in told["compared"]].count("transfer") == len(found.cut.parts.messages)
    page = emulation_page("knots <here>", found)
    assert "knots &lt;here&gt;" in page and "predicted" in page and 'id="off"' in page
    none = {name: getattr(found, name)[:0] for name in ("ready", "start", "computed", "end", "sent", "came", "there")}
    early = emulation_page("none", replace(found, **none, error="why it ended"))
    assert "why it ended" in early and 'id="off"' not in early


def two_tasks(folder: Path) -> tuple[Instance, Path]:
    path = chain(folder)
    one = deployed(path, SHAPES)
    task = one.tasks[0]
    several = tuple(task.model_copy(update={"name": f"t{i}", "arrival_s": 0.01 * i}) for i in range(3))
    return one.model_copy(update={"tasks": several}), path


def test_tasks_arrive_and_queue_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    instance, path = two_tasks(tmp_path)
    problem = P1(instance)
    n = len(problem.subtasks_of(0))
    servers = np.tile(np.where(np.arange(n) < 2, 0, 1), 3)
    servers[n - 1 :: n] = 0
    last_first = np.concatenate([np.array(problem.subtasks_of(i)) for i in (2, 1, 0)])
    done = emulate(instance, Placement(servers, last_first), path, shapes=SHAPES, runs=2, warm_up=0)
    assert done.error is None
    first = [min(part.number for part in done.cut.parts.pieces if part.task == i) for i in range(3)]
    starts = done.start[:, first]
    assert (starts[:, 2] >= 0.02).all() and (starts[:, 1] > starts[:, 2]).all() and (starts[:, 0] > starts[:, 1]).all()


def test_shared_links_are_slower(tmp_path: Path) -> None:
    """Three large tensors at once over one link take as long as one after another."""
    instance, path = two_tasks(tmp_path)
    slow = tuple(link.model_copy(update={"rate_mb_per_s": 0.001, "latency_s": 0.0}) for link in instance.links)
    tasks = tuple(task.model_copy(update={"arrival_s": 0.0}) for task in instance.tasks)
    instance = instance.model_copy(update={"links": slow, "tasks": tasks})
    servers = P1(instance).everything_on(1)
    took = {}
    for links in ("private", "shared"):
        done = emulate(instance, Placement(servers), path, shapes=SHAPES, runs=1, warm_up=0, links=links)
        inputs = [one.number for one in done.cut.parts.messages if one.after is None]
        took[links] = float(done.there[0, inputs].max())
    assert took["private"] == pytest.approx(3 * 16 * 4 / 1000, rel=0.2)
    assert took["shared"] == pytest.approx(3 * took["private"], rel=0.2)


def made(folder: Path) -> Cut:
    path = branches(folder)
    instance = deployed(path)
    servers = np.arange(P1(instance).n_subtasks) % 3
    servers[-1] = 0
    return cut(instance, Placement(servers), path, folder)


def cluster_of(found: Cut, **how: Any) -> Cluster:
    return Cluster(found.manifest, found.folder, **{"paced": True, "shared": False, **how})


def give(cluster: Cluster, found: Cut) -> None:
    cluster.give(0, drawn_inputs(found.models[0].graph, 0, "it"))


def test_a_server_that_is_killed_ends_the_run_and_nothing_is_left(tmp_path: Path) -> None:
    found = made(tmp_path)
    with cluster_of(found) as cluster:
        give(cluster, found)
        cluster.run(10.0)
        pids = dict(cluster.processes)
        os.kill(pids["t4"], signal.SIGKILL)
        with pytest.raises(Ended, match=r"'t4'.*killed by signal 9|'t4'"):
            cluster.run(10.0)
    assert [pid for pid in pids.values() if psutil.pid_exists(pid)] == []


def test_a_run_that_takes_too_long_is_told(tmp_path: Path) -> None:
    found = made(tmp_path)
    for part in found.manifest["parts"]:
        part["seconds"] = 30.0
    (tmp_path / "manifest.json").write_text(json.dumps(found.manifest), encoding="utf-8")
    with cluster_of(found) as cluster:
        give(cluster, found)
        with pytest.raises(Ended, match=r"no end after 0.3 s \(--timeout\): .* still had something to do"):
            cluster.run(0.3)


def test_a_part_that_cant_be_loaded_is_told(tmp_path: Path) -> None:
    found = made(tmp_path)
    broken = next(part["file"] for part in found.manifest["parts"] if part["server"] == "t4")
    (tmp_path / broken).write_bytes(b"no model")
    with pytest.raises(Ended, match=r"server 't4': could not start \(exit code 1\)"), cluster_of(found):
        pass


def test_servers_end_with_their_parent(tmp_path: Path) -> None:
    found = made(tmp_path)
    code = (
        "import json, sys, time\nfrom pathlib import Path\nfrom offbench.emulate.cluster import Cluster\n"
        f"folder = Path({str(found.folder)!r})\n"
        "with Cluster(json.loads((folder / 'manifest.json').read_text()), folder, paced=True, shared=False) as one:\n"
        "    print(json.dumps(list(one.processes.values())), flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 20
    while (left := [pid for pid in pids if psutil.pid_exists(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(pids) == 3 and left == []


def test_what_is_no_message_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    found = made(tmp_path)
    line = [sys.executable, "-m", "offbench.emulate.worker", str(tmp_path), "--server", "t4", "--until-stdin-ends"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        host, port = json.loads(process.stdout.readline())["listening"]
        assert host == "127.0.0.1"  # unless told otherwise
        sent = next(one for one in found.manifest["messages"] if one["to"] == "t4")
        size = size_of(found.manifest["tensors"][0], sent["tensors"])
        for wrong, body, why in (
            ({"kind": "message", "message": 10**6, "request": 1}, 0, "isn't for 't4'"),
            ({"kind": "message", "message": sent["number"], "request": 1}, size + 1, "were agreed"),
            ({"kind": "message", "message": "0", "request": 1}, 0, "whole number"),
            ({"kind": "inputs", "task": -1}, 0, "there is no task -1"),
            ({"kind": "pickle"}, 0, "is none of message"),
            ({"kind": "peers", "peers": "everyone"}, 0, "can't be understood"),
            ({"kind": "peers", "peers": {"t4": ["here", "there"]}}, 0, "can't be understood"),
            ({"kind": "begin", "request": 1, "at": 1e300}, 0, "not days away"),
        ):
            with socket.create_connection((host, port), 10) as connection:
                connection.settimeout(10)
                threading.Thread(target=_send, args=(connection, wrong, body), daemon=True).start()
                said, _ = receive(connection, lambda said: 0)
                assert said["kind"] == "refused" and why in said["why"]
        process.stdin.close()
        assert process.wait(10) == 0


def test_what_arrives_at_once_runs_in_the_order_of_the_model(tmp_path: Path) -> None:
    instance, path = two_tasks(tmp_path)
    task = instance.tasks[0]
    many = tuple(task.model_copy(update={"name": f"t{i}", "arrival_s": 0.0}) for i in range(20))
    pool = tuple(one.model_copy(update={"pool": 1}) for one in instance.servers)
    instance = instance.model_copy(update={"tasks": many, "servers": pool})
    done = emulate(instance, Placement(P1(instance).everything_on(0)), path, shapes=SHAPES, runs=1, warm_up=0)
    first = [next(part.number for part in done.cut.parts.pieces if part.task == i) for i in range(20)]
    assert (np.diff(done.start[0, first]) > 0).all()


def test_a_message_waits_for_its_own_latency_alone(tmp_path: Path) -> None:
    """One that is sent while another is on its way isn't held back until that is there."""
    instance, path = two_tasks(tmp_path)
    slow = tuple(link.model_copy(update={"rate_mb_per_s": 10.0, "latency_s": 0.2}) for link in instance.links)
    tasks = tuple(task.model_copy(update={"arrival_s": 0.05 * i}) for i, task in enumerate(instance.tasks))
    instance = instance.model_copy(update={"links": slow, "tasks": tasks})
    servers = P1(instance).everything_on(1)
    done = emulate(instance, Placement(servers), path, shapes=SHAPES, runs=1, warm_up=1, links="shared")
    inputs = [one.number for one in done.cut.parts.messages if one.after is None]
    assert (done.there[0, inputs] - done.sent[0, inputs] < 0.23).all()


def test_what_a_failed_request_left_behind_harms_no_later_one(tmp_path: Path) -> None:
    """A message twice, and one of a request that is over, are refused or dropped; the next request has its answer."""
    found = made(tmp_path)
    sent = next(one for one in found.manifest["messages"] if one["to"] == "t4")
    size = size_of(found.manifest["tensors"][0], sent["tensors"])
    with cluster_of(found) as cluster:
        give(cluster, found)
        cluster.run(10.0)
        address = cluster.control._connections["t4"].getpeername()
        facts = {"kind": "message", "message": sent["number"], "due": 0.0}
        with socket.create_connection(address, 10) as connection:
            for number in (0, 1000, 1000):
                send(connection, facts | {"request": number, "due": time.monotonic()}, [memoryview(bytes(size))])
            said, _ = receive(connection, lambda said: 0)
            assert "is there already" in said["why"]
        with pytest.raises(Ended, match=r"'t4'.*another request has begun"):
            cluster.run(10.0)
    with cluster_of(found) as cluster:
        control = cluster.control
        control._request = 5  # what asked before
        give(cluster, found)
        cluster.run(10.0)
        control._request = None
        _, events = cluster.run(10.0)
        assert len([one for one in events if one[0] == "part"]) == len(found.parts.pieces)
        assert control._request == 7


def test_nothing_is_left_when_the_command_is_killed(tmp_path: Path) -> None:
    """Not even the parts: the servers have loaded them."""
    found = made(tmp_path)
    (tmp_path / "mine.json").write_text(found.problem.instance.to_text(), encoding="utf-8")
    placement = found.predicted.placement.to_file(found.problem.instance)
    (tmp_path / "placement.json").write_text(json.dumps(placement), encoding="utf-8")
    line = [sys.executable, "-m", "offbench", "emulate", "mine.json", "placement.json", "--model", "branches.onnx",
            "--runs", "100000", "--quiet"]  # fmt: skip
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(line, cwd=tmp_path, env=os.environ | {"TMPDIR": str(scratch)}) as process:
        until = time.monotonic() + 60
        children: list[psutil.Process] = []
        while not (len(children) == 3 and not list(scratch.glob("offbench-*"))) and time.monotonic() < until:
            time.sleep(0.05)
            with suppress(psutil.NoSuchProcess):
                found_now = psutil.Process(process.pid).children()
                children = [one for one in found_now if "offbench.emulate.worker" in one.cmdline()]
        process.kill()
    gone, alive = psutil.wait_procs(children, 20)
    assert len(gone) == 3 and not alive and not list(scratch.glob("offbench-*"))


def test_a_worker_that_cant_start_says_why_in_a_line(tmp_path: Path) -> None:
    found = made(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("[]", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "manifest.json").write_text(json.dumps(found.manifest), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for folder, more, why in (
            ("broken", [], "manifest.json: must have the format 'offbench-parts/1'"),
            ("nothing", [], "manifest.json: can't be read: No such file"),
            ("empty", [], "ONNX Runtime can't load it"),
            (".", ["--listen", f"127.0.0.1:{taken.getsockname()[1]}"], "in use"),
        ):
            line = [sys.executable, "-m", "offbench.emulate.worker", str(tmp_path / folder), "--server", "t4", *more]
            run = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
            assert run.returncode == 1 and why in run.stderr and len(run.stderr.splitlines()) == 1, run.stderr


def _send(connection: socket.socket, facts: dict[str, Any], size: int) -> None:
    with suppress(OSError):  # it is refused before all has been sent
        send(connection, facts, [memoryview(bytes(size))])


def test_command(tmp_path: Path) -> None:
    path = chain(tmp_path)
    instance = deployed(path, SHAPES)
    (tmp_path / "mine.json").write_text(instance.to_text(), encoding="utf-8")
    n = P1(instance).n_subtasks
    names = ["raspberry-pi-4", *["jetson-orin-nano"] * (n - 2), "raspberry-pi-4"]
    (tmp_path / "placement.json").write_text(json.dumps({"servers": [names], "order": None}), encoding="utf-8")
    base = ["emulate", str(tmp_path / "mine.json"), str(tmp_path / "placement.json"), "--model", str(path)]
    shape = ["--shape", "x=3,16"]
    run = CliRunner().invoke(
        app, [*base, *shape, "--runs", "2", "--export", str(tmp_path / "parts"), "--output", str(tmp_path / "p.html")]
    )
    assert run.exit_code == 0, run.output
    assert "were predicted" in run.stdout and "transfer" in run.stdout
    assert (tmp_path / "parts" / "manifest.json").is_file() and (tmp_path / "p.html").stat().st_size > 1e6
    run = CliRunner().invoke(app, [*base, *shape, "--runs", "0", "--export", str(tmp_path / "only")])
    assert run.exit_code == 0 and "python -m offbench.emulate.worker" in run.stdout
    for wrong, why in (
        (base, "has free dimensions (batch,16)"),
        ([*base, *shape, "--compute", "fast"], "--compute: must be one of"),
        ([*base, *shape, "--runs", "0"], "say where to keep the parts (--export DIR)"),
        ([*base, *shape, "--profile", "p.json"], "--compute here"),
        ([*base[:-1], "nothing.onnx", *shape], "nothing.onnx: no such file"),
        ([*base[:-1], "other=nothing.onnx", *shape], "must be TASK=FILE; tasks: chain"),
        ([*base[:-1], f"chain={path}", "--model", f"chain={path}", *shape], "task 'chain' has one already"),
    ):
        run = CliRunner().invoke(app, wrong)
        assert run.exit_code == 2 and why in run.stderr, run.stderr


def test_outputs_that_differ_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = chain(tmp_path)
    instance = deployed(path, SHAPES)
    monkeypatch.setattr(Cluster, "outputs", lambda self, task: {"t5": np.zeros((3, 16), np.float32)})
    with pytest.raises(OffbenchError, match=r"the cut network's 't5' differs from the uncut one's by 1 of its largest"):
        emulate(instance, Placement(P1(instance).everything_on(0)), path, shapes=SHAPES, runs=1, warm_up=0)


def test_parts_and_manifest_are_enough_to_deploy(tmp_path: Path) -> None:
    """Two servers and a request are started by hand, with nothing of offbench but what they need."""
    path = knots(tmp_path)
    instance = deployed(path)
    servers = np.arange(P1(instance).n_subtasks) % 2
    servers[-1] = 0
    found = cut(instance, Placement(servers), path, tmp_path)
    inputs = drawn_inputs(found.models[0].graph, 3, "it")
    for name, value in inputs.items():
        np.save(tmp_path / f"{name}.npy", value)
    started: list[subprocess.Popen[bytes]] = []
    addresses: dict[str, str] = {}
    names = [one["name"] for one in found.manifest["servers"]]
    refuse = "import sys; sys.modules.update(dict.fromkeys(['pydantic', 'numba', 'onnx', 'scipy', 'pandas']))\n"
    run = refuse + "from offbench.emulate.{} import main\nmain(sys.argv[1:])"
    try:
        for name in reversed(names):
            peers = [part for other, at in addresses.items() for part in ("--peer", f"{other}={at}")]
            line = [sys.executable, "-c", run.format("worker"), str(tmp_path), "--server", name, *peers]
            started.append(subprocess.Popen(line, stdout=subprocess.PIPE))
            stdout = started[-1].stdout
            assert stdout is not None
            addresses[name] = ":".join(map(str, json.loads(stdout.readline())["listening"]))
        # The first one to start can't know the other's port: it is told.
        with socket.create_connection(addresses[names[-1]].rsplit(":", 1), 10) as connection:  # type: ignore[arg-type]
            host, port = addresses[names[0]].rsplit(":", 1)
            send(connection, {"kind": "peers", "peers": {names[0]: [host, int(port)]}})
            receive(connection, lambda said: 0)
        at = [part for name, where in addresses.items() for part in ("--at", f"{name}={where}")]
        given = [part for name in inputs for part in ("--input", f"{name}={tmp_path / name}.npy")]
        line = [sys.executable, "-c", run.format("request"), str(tmp_path), *at, *given]
        asked = subprocess.run(
            [*line, "--runs", "2", "--output", str(tmp_path / "out.npz")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert asked.returncode == 0, asked.stderr
        assert asked.stdout.count(" s\n") == 2
        # Others may ask later.
        for _ in range(2):
            again = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
            assert again.returncode == 0 and again.stdout.count(" s\n") == 1, again.stderr
        asked = subprocess.run(line[:-2], capture_output=True, text=True, check=False, timeout=60)
        assert asked.returncode == 1 and "'y' of task 'knots' is missing" in asked.stderr
    finally:
        for process in started:
            process.kill()
            process.wait()
    made_by_parts = np.load(tmp_path / "out.npz")
    whole = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for name, right in zip(found.models[0].outputs, whole.run(list(found.models[0].outputs), inputs), strict=True):
        np.testing.assert_allclose(made_by_parts[name], right, rtol=1e-4, atol=1e-5)
