"""Files that appear whole: through links, with the mode they should have, and what a kill leaves of them."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from home import REPO
from power import watched

from pipelines.ground.durable import (
    PRIVATE,
    is_there,
    linked_whole,
    locked_if_there,
    make_folder,
    move,
    remove,
    remove_half_written,
    require_readable,
    size_of,
    written_whole,
)
from pipelines.ground.errors import StorageFailed

DIE_HALF_WAY = """
import os, sys
from pathlib import Path
from pipelines.ground.durable import written_whole
with written_whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read() if sys.argv[2] == "wait" else os.kill(os.getpid(), 9)
"""


@pytest.fixture
def umask():
    """A way to set the umask, which is put back."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def write(path: Path, content: bytes = b"new", **how: int) -> None:
    with written_whole(path, **how) as file:
        file.write(content)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize(
    ("mask", "before", "most", "after"),
    [
        (0o022, None, 0o666, 0o644),
        (0o077, None, 0o666, 0o600),
        (0o027, None, 0o444, 0o440),
        (0o077, None, 0o444, 0o400),
        # a file that is replaced keeps its mode, whatever the umask, and never gets wider
        (0o022, 0o600, 0o666, 0o600),
        (0o022, 0o640, 0o666, 0o640),
        (0o077, 0o664, 0o666, 0o664),
        (0o022, 0o640, 0o444, 0o440),
        (0o022, 0o400, 0o666, 0o400),
        # what is for its owner alone is that
        (0o000, None, PRIVATE, 0o600),
        (0o377, None, PRIVATE, 0o600),
        (0o022, 0o644, PRIVATE, 0o600),
    ],
)
def test_a_file_is_as_private_as_the_umask_or_the_one_before_it_and_never_wider_on_the_way(
    tmp_path, umask, mask, before, most, after
):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(b"old")
        path.chmod(before)
    umask(mask)
    with written_whole(path, most) as file:
        (beside,) = tmp_path.glob(".file.*.tmp")
        assert mode(beside) & ~after == 0
        file.write(b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", after)


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path):
    target, link, other = (tmp_path / name for name in ("elsewhere/target", "link", "other"))
    target.parent.mkdir()
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to("elsewhere/target")
    other.symlink_to(link)
    write(other)
    assert (other.readlink(), link.readlink()) == (link, Path("elsewhere/target"))
    assert (target.read_bytes(), mode(target)) == (b"new", 0o600)
    # what is removed is emptied: a link that leads nowhere would stop the next one who writes
    remove(other)
    assert (target.read_bytes(), other.is_symlink()) == (b"", True)


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_that_leads_nowhere_is_named_and_left_alone(tmp_path, link):
    place = tmp_path / link
    nowhere = tmp_path / "nowhere" / "at" / "all"
    place.symlink_to(nowhere)
    path = place if link == "file" else place / "sub" / "file"
    with pytest.raises(StorageFailed, match=f"{place} is a link to {nowhere}, which is not there"):
        write(path)
    assert place.readlink() == nowhere
    assert list(tmp_path.iterdir()) == [place]


def test_what_the_system_gives_no_answer_about_is_neither_there_nor_missing(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for asked in (is_there, size_of, require_readable):
        with pytest.raises(StorageFailed, match=f"{loop} could not be read: {os.strerror(errno.ELOOP)}"):
            asked(loop)
        asked(tmp_path / "missing")
    with pytest.raises(StorageFailed, match=f"{loop} could not be read"), locked_if_there(loop, lambda: None):
        pass
    with locked_if_there(tmp_path / "missing", lambda: None):
        assert list(tmp_path.iterdir()) == [loop]


def test_a_folder_or_a_device_is_never_replaced(tmp_path):
    (tmp_path / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(StorageFailed, match="it is no file"):
            write(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "folder"}


def writer(path: Path, how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", DIE_HALF_WAY, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def test_leftovers_of_a_kill_are_removed_but_not_files_being_written_or_of_others(tmp_path):
    killed, busy, foreign = tmp_path / "killed", tmp_path / "busy", tmp_path / ".mine.7.tmp"
    dead, alive = writer(killed, "die"), writer(busy, "wait")
    dead.communicate()
    assert dead.returncode == -signal.SIGKILL
    foreign.write_bytes(b"another program's")
    (tmp_path / ".notes.tmp").write_bytes(b"no number")
    (tmp_path / ".killed.8.tmp").symlink_to(foreign)
    left = {path.name for path in tmp_path.glob(".*.tmp")}
    assert len(left) == 5

    # as long as somebody writes a file, nobody takes it from him; others' are others'
    for path in (killed, busy):
        remove_half_written(tmp_path, path.name)
    gone = left - {path.name for path in tmp_path.glob(".*.tmp")}
    assert gone == {f".killed.{dead.pid}.tmp"}
    alive.communicate("")
    assert (alive.returncode, busy.read_bytes()) == (0, b"half")

    # the next who writes the file cleans up too
    writer(killed, "die").communicate()
    write(killed)
    assert killed.read_bytes() == b"new"
    assert {path.name for path in tmp_path.glob(".*.tmp")} == {".mine.7.tmp", ".notes.tmp", ".killed.8.tmp"}
    assert foreign.read_bytes() == b"another program's"


def test_what_is_made_written_linked_renamed_or_removed_is_on_disk_at_once_and_no_file_appears_before_its_content(
    tmp_path, monkeypatch
):
    (tmp_path / "source").write_bytes(b"by a library")
    with watched(tmp_path, monkeypatch) as disk:
        make_folder(tmp_path / "made" / "in" / "one")
        assert disk.lost("made") == set()
        write(tmp_path / "made" / "file")
        assert disk.at_appearance["file"] == set()
        assert disk.lost("made") == set()
        assert linked_whole(tmp_path / "source", tmp_path / "made" / "linked")
        assert disk.at_appearance["linked"] == set()
        assert disk.lost("made") == set()
        move(tmp_path / "made" / "file", tmp_path / "made" / "moved")
        assert disk.lost("made") == set()
        remove(tmp_path / "made" / "moved")
        assert disk.lost("made") == set()


def test_a_second_name_is_refused_without_harm_if_a_file_has_it_or_its_folder_is_missing(tmp_path):
    source, there = tmp_path / "source", tmp_path / "there"
    source.write_bytes(b"mine")
    there.write_bytes(b"another")
    assert not linked_whole(source, there)
    assert not linked_whole(source, tmp_path / "missing" / "new")
    assert (source.read_bytes(), there.read_bytes()) == (b"mine", b"another")
    with pytest.raises(StorageFailed, match="missing"):
        linked_whole(tmp_path / "missing", tmp_path / "new")


@pytest.mark.parametrize(
    "change", [remove, lambda path: move(path / "missing", path / "moved")], ids=["remove", "move"]
)
def test_what_cannot_be_removed_or_renamed_is_reported(tmp_path, change):
    with pytest.raises(StorageFailed, match=str(tmp_path)):
        change(tmp_path)
