"""The catalogue: figures with sources and ranges, refusals, a user's own entries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offbench.catalogue.catalogue import KINDS, load_catalogue
from offbench.catalogue.entries import Device, figures
from offbench.errors import OffbenchError

Write = Callable[[str, str], Path]

FIGURE = '{ value = 2, low = 1, high = 3, source = "sheet" }'
SOURCE = '[sources.sheet]\nwhat = "A sheet"\nurl = "https://example.org/sheet"\n'
LINK = f"""{SOURCE}
[links.mine]
what = "A link"
up_mb_per_s = {FIGURE}
down_mb_per_s = {FIGURE}
latency_s = {FIGURE}
up_usd_per_gb = 0
down_usd_per_gb = 0
"""


def test_what_comes_with_offbench_is_enough_and_cited() -> None:
    known = load_catalogue()
    assert len(known.devices) >= 12 and len(known.links) >= 9 and len(known.prices) >= 6
    assert {device.kind for device in known.devices.values()} == {"client", "edge", "cloud"}
    used = set()
    for kind in KINDS:
        for name, entry in known.entries(kind).items():
            found = dict(figures(entry))
            for field, figure in found.items():
                assert figure.low <= figure.value <= figure.high, (name, field)
                assert figure.source in known.sources, (name, field)
                assert figure.note or figure.source != "reasoning", (name, field)
                used |= {figure.source, *(each for each in known.sources if f"source {each}" in figure.note)}
            assert found or isinstance(entry, Device), name  # of a device its times may be all that is known
    assert used == set(known.sources)
    assert all(source.url.startswith("https://") for name, source in known.sources.items() if name != "reasoning")


def test_units_are_right() -> None:
    known = load_catalogue()
    four = known.device("raspberry-pi-4")
    assert four.peak_gflop_per_s["float32"].value == pytest.approx(4 * 1.8 * 8)
    assert known.link("ethernet-1g").up_mb_per_s.value == pytest.approx(938 / 8, rel=1e-3)
    assert known.link("lte").latency_s.value == pytest.approx(0.022 / 2)
    assert known.link("lte").up_mb_per_s.value < known.link("lte").down_mb_per_s.value
    price = known.price_per_hour("a100")
    assert price is not None and price.value == 1.39  # the cheaper of two
    assert known.price_per_hour("raspberry-pi-4") is None


def test_own_entries_come_first(write: Write) -> None:
    own = write("own.toml", LINK.replace("mine", "lte") + "[devices.board]\nwhat = 'B'\nkind = 'client'\n"
                "processor = 'cpu'\nmemory_mb = 4000\n")  # fmt: skip
    known = load_catalogue(own)
    assert known.link("lte").up_mb_per_s.value == 2
    assert known.link("wifi-5") == load_catalogue().link("wifi-5")
    board = known.device("board").memory_mb
    assert board is not None
    assert (board.low, board.value, board.high, board.source) == (4000, 4000, 4000, "own")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("low = 1", "low = 2.5", "the range 2.5 to 3 doesn't contain the value 2"),
        ("high = 3", "high = 1.5", "the range 1 to 1.5 doesn't contain the value 2"),
        ("low = 1, ", "", "low: this field is missing"),
        (', source = "sheet"', "", "source: this field is missing"),
        ('source = "sheet"', 'source = "shet"', "no source 'shet' (did you mean 'sheet'?)"),
        ("value = 2", "value = -2", "must be greater than or equal to 0, not -2"),
        ("value = 2", "value = nan", "links.mine"),
        ("what = \"A link\"\n", "", "links.mine.what: this field is missing"),
        ("down_mb_per_s", "down_mb_per_sec", "down_mb_per_sec: unknown field (did you mean 'down_mb_per_s'?)"),
        ("[links.mine]", "[links.a100]", "links.a100: the name is taken, by devices"),
        ("[links.mine]", "[links.prices]", "links.prices: the name is taken"),
        ("[links.mine]", "[link.mine]", "link"),
        ("up_usd_per_gb = 0", "up_usd_per_gb = true", "up_usd_per_gb"),
    ],
)  # fmt: skip
def test_bad_entries_are_refused_in_one_line(write: Write, old: str, new: str, told: str) -> None:
    assert old in LINK
    path = write("own.toml", LINK.replace(old, new))
    with pytest.raises(OffbenchError) as caught:
        load_catalogue(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and told in message and "\n" not in message


def test_table_must_be_one_and_a_price_is_of_a_device(write: Write) -> None:
    with pytest.raises(OffbenchError, match="devices: must be a table of entries"):
        load_catalogue(write("own.toml", "devices = 3\n"))
    price = f"{SOURCE}[prices.mine]\nwhat = 'P'\ndevice = 'a6001'\nusd_per_hour = {FIGURE}\n"
    with pytest.raises(OffbenchError, match=r"prices.mine.device: no device 'a6001' \(did you mean 'a6000'\?\)"):
        load_catalogue(write("own.toml", price))


def test_unknown_names_are_told_with_the_nearest() -> None:
    known = load_catalogue()
    with pytest.raises(OffbenchError, match=r"no device 'jetson-orn-nano' \(did you mean 'jetson-orin-nano'\?\)"):
        known.device("jetson-orn-nano")
    with pytest.raises(OffbenchError, match="no link 't4'"):
        known.link("t4")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f"up_mb_per_s = {FIGURE}", 'up_mb_per_s = "fast"', "up_mb_per_s: must be a number, or a table of value, low,"),
        (f"up_mb_per_s = {FIGURE}", "up_mb_per_s = 0", "up_mb_per_s: must be above 0"),
        (f"down_mb_per_s = {FIGURE}", "down_mb_per_s = 0", "down_mb_per_s: must be above 0"),
    ],
)
def test_figures_that_no_instance_can_have_are_refused(old: str, new: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    assert LINK.count(old) == 1
    file.write_text(LINK.replace(old, new), encoding="utf-8")
    with pytest.raises(OffbenchError) as caught:
        load_catalogue(file)
    assert f"{file}: links.mine.{told}" in str(caught.value)
