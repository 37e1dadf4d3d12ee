"""What is half learned: there for who goes on with it, and gone with anything that is forgotten."""

import os
import zipfile

import pytest

from ipse.errors import StoreFailure
from tests.store.samples import audit, batch, made_from, record

SECRET = b"half of what was learned"


@pytest.fixture
def half(store):
    """A store in which a training was killed."""
    store.add([*batch(3), *batch(2, "bob")])
    folder = store.scratch.folder()
    (folder / "checkpoint").write_bytes(SECRET)
    (folder / "more").mkdir()
    (folder / "more" / "checkpoint").write_bytes(SECRET)
    return folder


def left(tmp_path):
    return sum(SECRET in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_it_is_there_for_the_next_process(half, reopen, tmp_path):
    assert reopen().scratch.folder() == half
    assert left(tmp_path) == 2


@pytest.mark.parametrize(
    "forget",
    [
        lambda store: store.forget_user("bob"),
        lambda store: store.forget_record(batch(3)[0].id),
        lambda store: store.replace(batch(3)[0].id, record(9)),
        lambda store: store.forget_states([store.keep(made_from(batch(1))).id]),
    ],
    ids=["person", "record", "replaced", "states"],
)
def test_nothing_is_left_when_anything_is_forgotten(half, store, tmp_path, forget):
    assert not forget(store).pending
    assert left(tmp_path) == 0
    audit(store, tmp_path)


def test_adding_and_keeping_leave_it(half, store, tmp_path):
    store.add([record(20)])
    store.keep(made_from(batch(3)))
    assert left(tmp_path) == 2


def test_what_is_written_after_forgetting_by_who_has_not_noticed_is_gone_at_the_next_open(
    half, store, reopen, tmp_path
):
    store.forget_user("bob")
    (half / "checkpoint").write_bytes(SECRET)
    reopen()
    assert left(tmp_path) == 0
    (half / "checkpoint").write_bytes(SECRET)
    assert list(store.scratch.folder().glob("checkpoint")) == []


def test_a_crash_between_forgetting_and_tidying_leaves_nothing(half, store, tmp_path, monkeypatch):
    monkeypatch.setattr("ipse.store.forget.finish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.forget_user("bob")
    assert left(tmp_path) == 0


def test_a_receipt_says_where_it_could_not_be_emptied(half, store, tmp_path, monkeypatch):
    def refuse(*_):
        raise StoreFailure("no space left on device")

    monkeypatch.setattr(type(store.scratch), "clear", refuse)
    assert store.forget_user("bob").pending
    monkeypatch.undo()
    assert not store.forget_user("ada").pending
    assert left(tmp_path) == 0


def test_it_is_in_no_export(half, store, tmp_path):
    store.export_user("ada", tmp_path / "ada.zip")
    with zipfile.ZipFile(tmp_path / "ada.zip") as file:
        assert all(SECRET not in file.read(name) for name in file.namelist())


def test_nobody_else_may_read_it(half):
    assert half.stat().st_mode & 0o077 == 0


def test_where_the_disk_refuses_it_says_so(store, tmp_path):
    (tmp_path / "ipse.db.scratch").write_text("not a folder")
    with pytest.raises(StoreFailure, match=r"ipse\.db\.scratch"):
        store.scratch.folder()
    os.unlink(tmp_path / "ipse.db.scratch")
    assert store.scratch.folder().is_dir()
