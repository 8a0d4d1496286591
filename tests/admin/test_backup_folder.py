"""A backup's folder: what is whole has its name, what nobody names goes, what is damaged is told."""

import hashlib
import os
from pathlib import Path

import pytest

from messenger.admin.backup.checking import choose, verify
from messenger.admin.backup.folder import FORMAT, Folder, Lines, Manifest, Table
from messenger.admin.progress import Progress
from messenger.core.lifecycle import StartError
from messenger.core.schemas import SCHEMAS, newest


def add_set(folder: Folder, name: str, contents: list[bytes], gone: tuple[int, ...] = ()) -> None:
    """A set with a table of one row and these blobs; those that `gone` counts were deleted meanwhile."""
    place = folder.begin(name)
    rows = Lines(place / "auth.users.copy.gz")
    rows.write(b"one\n")
    written = rows.close()
    blobs = Lines(place / "blobs.gz")
    without = Lines(place / "gone.gz")
    hashed = sorted((hashlib.sha256(one).hexdigest(), one) for one in contents)
    for number, (sha256, content) in enumerate(hashed):
        blobs.write(f"{sha256} {len(content)} key{number} file{number}\n".encode())
        if number in gone:
            without.write(f"file{number}\n".encode())
            continue
        path = folder.blob(sha256)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    manifest = Manifest(
        format=FORMAT,
        made_at="2026-01-01T00:00:00Z",
        version="1",
        postgresql="18",
        schema={schema: newest(schema) for schema in SCHEMAS},
        secrets={},
        tables=[
            Table(
                table="auth.users",
                columns=["username"],
                file=written.file,
                rows=written.rows,
                bytes=written.bytes,
                sha256=written.sha256,
            )
        ],
        blobs=blobs.close(),
        gone=without.close(),
        blob_count=len(contents),
        blob_bytes=sum(map(len, contents)),
        lost=[],
    )
    folder.finish(place, name, manifest)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "backup", make=True)


def progress() -> Progress:
    return Progress()


def test_a_set_is_whole(folder: Folder) -> None:
    add_set(folder, "1", [b"ann", b"ben", b""])
    manifest, without = verify(folder, choose(folder, None), progress())
    assert manifest.tables[0].rows == 1
    assert without == set()
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_what_was_deleted_meanwhile_is_not_missed(folder: Folder) -> None:
    add_set(folder, "1", [b"ann", b"ben"], gone=(1,))
    assert verify(folder, "1", progress())[1] == {"file1"}


def test_an_interrupted_backup_leaves_the_one_before(folder: Folder) -> None:
    add_set(folder, "1", [b"ann"])
    partial = folder.begin("2")
    (partial / "auth.users.copy.gz").write_bytes(b"half")
    assert folder.names() == ["1"]
    verify(folder, choose(folder, None), progress())
    add_set(folder, "3", [b"ann"])
    assert folder.names() == ["1", "3"]
    assert not partial.exists()


def test_old_sets_go_and_only_their_blobs(folder: Folder) -> None:
    for name, contents in (("1", [b"a", b"b"]), ("2", [b"b", b"c"]), ("3", [b"c", b"d", b"d2"])):
        add_set(folder, name, contents)
    (folder.blob("ab" * 32).parent).mkdir(exist_ok=True)
    (folder.blob("ab" * 32).with_name(".draft")).write_bytes(b"left by an interrupted backup")
    assert folder.prune(2) == (1, 2)
    assert folder.names() == ["2", "3"]
    left = {path.read_bytes() for path in folder.blobs.glob("*/*")}
    assert left == {b"b", b"c", b"d", b"d2"}
    verify(folder, "2", progress())
    verify(folder, "3", progress())
    assert folder.prune(2) == (0, 0)


@pytest.mark.parametrize(
    "what", ["manifest.json", "manifest.sha256", "auth.users.copy.gz", "blobs.gz", "gone.gz"]
)
@pytest.mark.parametrize("how", ["flip", "cut", "remove"])
def test_a_damaged_file_is_told(folder: Folder, what: str, how: str) -> None:
    add_set(folder, "1", [b"ann"])
    _damage(folder.sets / "1" / what, how)
    with pytest.raises(StartError, match=r"damaged|can't be read|can be read|another kind"):
        verify(folder, "1", progress())


@pytest.mark.parametrize("how", ["flip", "cut", "remove"])
def test_a_damaged_blob_is_told_and_may_be_left_out(folder: Folder, how: str) -> None:
    add_set(folder, "1", [b"ann", b"ben"])
    _damage(folder.blob(hashlib.sha256(b"ben").hexdigest()), how)
    with pytest.raises(StartError, match="1 blobs of the backup are damaged"):
        verify(folder, "1", progress())
    _, without = verify(folder, "1", progress(), without_damaged=True)
    assert len(without) == 1


def test_a_newer_schema_is_refused(folder: Folder) -> None:
    add_set(folder, "1", [])
    place = folder.sets / "1"
    raw = (place / "manifest.json").read_bytes().replace(newest("key").encode(), b"9999")
    (place / "manifest.json").write_bytes(raw)
    (place / "manifest.sha256").write_text(hashlib.sha256(raw).hexdigest() + "  manifest.json\n")
    with pytest.raises(StartError, match="use that version, or a newer one"):
        verify(folder, "1", progress())


def test_two_at_once_are_refused(folder: Folder) -> None:
    other = Folder(folder.path, make=False)
    with folder.locked(), pytest.raises(StartError, match="another backup or restore"), other.locked():
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StartError, match="holds something else"):
        Folder(tmp_path, make=True)
    with pytest.raises(StartError, match="is no backup"):
        Folder(tmp_path, make=False)
    assert sorted(os.listdir(tmp_path)) == ["letter.txt"]


def test_no_set_and_no_such_set(folder: Folder) -> None:
    with pytest.raises(StartError, match="no backup that is whole"):
        choose(folder, None)
    add_set(folder, "1", [])
    with pytest.raises(StartError, match="holds no set 2: there are 1"):
        choose(folder, "2")


def _damage(path: Path, how: str) -> None:
    raw = path.read_bytes()
    if how == "remove":
        path.unlink()
    elif how == "cut":
        path.write_bytes(raw[: len(raw) // 2])
    else:
        path.write_bytes(bytes([raw[0] ^ 1]) + raw[1:])
