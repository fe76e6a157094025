"""`offbench catalogue`."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import CliRunner, Result

from offbench.catalogue.catalogue import KINDS, load_catalogue
from offbench.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["catalogue", *map(str, arguments)])


def test_lists_and_shows() -> None:
    known = load_catalogue()
    everything = run()
    assert everything.exit_code == 0
    for kind in KINDS:
        assert all(name in everything.stdout for name in known.entries(kind))
    links = run("links").stdout
    assert "wifi-5" in links and "raspberry-pi-4" not in links
    one = run("raspberry-pi-4").stdout
    assert "1.6 to 2.7" in one  # a range
    assert known.sources["sbc-reviews"].url in one and "MIT" in one
    assert "fitted to its times in ncnn's table" in one
    assert "similar devices" in run("a6000").stdout and "lambda-a6000" in run("a6000").stdout


def test_json_has_sources_and_speed() -> None:
    assert {kind: len(entries) for kind, entries in json.loads(run("--json").stdout).items()} == {
        kind: len(load_catalogue().entries(kind)) for kind in KINDS
    }
    lte = json.loads(run("lte", "--json").stdout)
    assert lte["up_mb_per_s"]["low"] < lte["up_mb_per_s"]["value"] < lte["up_mb_per_s"]["high"]
    assert lte["sources"]["sigcomm21-5g"]["url"].startswith("https://github.com/SIGCOMM21-5G/artifact/")
    five = json.loads(run("raspberry-pi-5", "--json").stdout)["speed"]
    assert five["basis"] == "fitted" and five["spread"]["low"] < 1 < five["spread"]["high"]


def test_unknown_name_is_told_in_one_line_with_the_nearest() -> None:
    for given, near in (("wifi5", "wifi-5"), ("device", "devices")):
        done = run(given)
        assert done.exit_code == 2 and done.stdout == ""
        assert f"no entry '{given}' (did you mean '{near}'?)" in done.stderr and done.stderr.count("\n") == 1


def test_own_file(write: Callable[[str, str], Path]) -> None:
    board = "[devices.board]\nwhat = 'evil \\u001b]52;c;aGk=\\u0007'\nkind = 'client'\nprocessor = 'cpu'\n".replace(
        "'", '"'
    )
    done = run("board", "--catalogue", write("own.toml", board))
    assert done.exit_code == 0 and "\x1b" not in done.stdout and "\x07" not in done.stdout
    assert "knows no speed of it" in done.stdout
    missing = run("--catalogue", "nowhere.toml")
    assert missing.exit_code == 2 and missing.stderr.startswith("offbench: nowhere.toml: ")
    assert missing.stderr.count("\n") == 1
