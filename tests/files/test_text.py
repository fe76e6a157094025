"""Text with the marks that editors put first."""

import codecs
from pathlib import Path

import pytest

from offbench import OffbenchError
from offbench.bench.suite import read_suite
from offbench.files.json import read_json
from offbench.files.text import read_text, read_toml

SUITE = 'name = "mini"\ninstances = ["alexnet"]\nsolvers = ["greedy"]\n'


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_json_and_toml_are_read_with_and_without_a_mark(mark: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(mark + '{"naïve": 1}'.encode())
    assert read_json(file) == {"naïve": 1}
    file.write_bytes(mark + SUITE.replace("\n", "\r\n").encode())
    assert read_toml(file) == {"name": "mini", "instances": ["alexnet"], "solvers": ["greedy"]}
    assert read_suite(file).name == "mini"
    assert read_text(file) == SUITE


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_told(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    for read, text in ((read_json, "{}"), (read_toml, SUITE)):
        file.write_bytes(text.encode(encoding))
        with pytest.raises(OffbenchError, match="it is UTF-16 or UTF-32 text; save it as UTF-8"):
            read(file)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes("naïve".encode("latin-1"))
    for path, told in (
        (latin, "can't be read: not UTF-8 text"),
        (tmp_path / "none", "no such file"),
        (tmp_path, "can't be read: Is a directory"),
        (tmp_path / ("x" * 300), "can't be read: File name too long"),
        (latin / "below", "can't be read: Not a directory"),
    ):
        with pytest.raises(OffbenchError) as caught:
            read_text(path)
        assert str(caught.value) == f"{path}: {told}"


@pytest.mark.parametrize("part", ["a", "'a'", '"a.\\" "'])
@pytest.mark.parametrize("line", ["{} = 1", "[{}]", "[[{} ]]", "x = {{ {} = 1 }}"])
def test_toml_with_a_key_of_very_many_parts_is_refused(line: str, part: str, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    for count in (51, 20_000):  # tomllib takes a gigabyte for as many
        file.write_text(line.format(" . ".join([part] * count)))
        with pytest.raises(OffbenchError, match="a key has more than 50 parts"):
            read_toml(file)


def test_toml_whose_texts_have_many_points_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text('"a.b" = "../' + "x/../" * 100 + '1.2.3"\nc = "' + "." * 100 + '"\nd.e = [' + "1.5, " * 100 + "]\n")
    assert list(read_toml(file)) == ["a.b", "c", "d"]
