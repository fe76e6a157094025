"""Files written whole, under a name that nobody can foresee, and through no link."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from offbench import OffbenchError
from offbench.cli.shared.files import check_writable, write
from offbench.files.atomic import whole, write_whole


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    with pytest.raises(RuntimeError), whole(path) as file:
        file.write(b"half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_name_is_a_new_one_each_time_and_its_file_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, names = tmp_path / "file", set()
    for _ in range(3):
        with whole(path):
            (temporary,) = set(tmp_path.iterdir()) - {path}
            names.add(temporary.name)
    assert len(names) == 3
    # Somebody has guessed it all the same.
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    (victim := tmp_path / "victim").write_text("mine")
    (tmp_path / ".file-guessed.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_whole(path, "new")
    assert (victim.read_text(), path.read_text()) == ("mine", "")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_the_umask_s_or_the_old_file_s(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "new", "")
        (old := tmp_path / "old").touch()
        old.chmod(0o640)
        write_whole(old, "")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o666 & ~umask
    assert mode(old) == 0o640


def test_long_name_is_one(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)  # 254 bytes of 255
    write_whole(path, "x")
    assert path.read_text() == "x"


@pytest.mark.parametrize("writer", [write_whole, write])
def test_link_is_replaced_and_what_it_leads_to_left_alone(writer: Callable[[Path, str], None], tmp_path: Path) -> None:
    (victim := tmp_path / "victim").write_text("mine")
    (link := tmp_path / "link").symlink_to(victim)
    writer(link, "new")
    assert (victim.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)


def device(path: Path) -> Path:
    """Make a device like /dev/null."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    return path


def test_device_stays_one(tmp_path: Path) -> None:
    path = device(tmp_path / "null")
    check_writable(path)
    write(path, "x")
    assert path.is_char_device()
    with pytest.raises(OSError, match="it is a pipe or a device"):
        write_whole(path, "x")
    assert path.is_char_device()
    (link := tmp_path / "link").symlink_to(path)
    told = r"link: can't be written: it is a link to .*null, which is no file"
    with pytest.raises(OffbenchError, match=told):
        check_writable(link)
    with pytest.raises(OffbenchError, match=told):
        write(link, "x")
    assert link.is_symlink()


def test_pipe_gets_it(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "pipe")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(path, "x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
    assert path.is_fifo()


def test_what_is_open_gets_it_where_it_stands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        os.write(1, b"before ")
        write(Path(name), "x", quiet=True)
        os.write(1, b" after")
        assert capfd.readouterr().out == "before x after"
    assert Path("/dev/stdout").is_symlink()
    with (tmp_path / "file").open("wb") as file:  # as `>` does
        os.write(file.fileno(), b"before ")
        write(Path(f"/dev/fd/{file.fileno()}"), "x", quiet=True)
        os.write(file.fileno(), b" after")
    assert (tmp_path / "file").read_text() == "before x after"
    with pytest.raises(OffbenchError, match="/dev/fd/999: can't be written: Bad file descriptor"):
        write(Path("/dev/fd/999"), "x")
