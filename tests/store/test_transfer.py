"""Exports are exact; what is not a whole and honest export is refused, and nothing is written."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import Conflict, InvalidFile, StoreFailure, UnknownUser
from ipse.store import Added
from tests.store.samples import artifact_files, audit, batch, made_from, record


@pytest.fixture
def other(template, tmp_path):
    opener, folder = template
    shutil.copytree(folder, tmp_path / "other")
    with opener(tmp_path / "other") as store:
        yield store


@pytest.fixture
def path(store, tmp_path):
    """An export of three records of Ada's, and of a state with a parent that was replaced."""
    store.add([*batch(3), *batch(2, "bob")])
    old = store.keep(made_from(batch(1), method="parent"))
    store.keep(made_from(batch(2), parents=[old], arrays={"w": np.ones(5)}))
    store.keep(made_from(batch(3), method="parent", arrays={"w": np.ones(7)}))
    store.export_user("ada", tmp_path / "ada.zip")
    return tmp_path / "ada.zip"


@pytest.fixture(scope="module")
def exported(template, tmp_path_factory):
    """The bytes of one export, for the many tests that need no more than that."""
    opener, _ = template
    folder = tmp_path_factory.mktemp("exported")
    with opener(folder) as store:
        store.add(batch(3))
        parent = store.keep(made_from(batch(1), method="parent"))
        store.keep(made_from(batch(2), parents=[parent], arrays={"w": np.ones(5)}))
        store.export_user("ada", folder / "ada.zip")
    return (folder / "ada.zip").read_bytes()


@pytest.fixture
def archive(exported, tmp_path):
    (tmp_path / "archive.zip").write_bytes(exported)
    return tmp_path / "archive.zip"


def repack(path, changes, manifest=True):
    """Rewrite an archive with some members changed, and the manifest made to agree."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()} | changes
    members = {name: data for name, data in members.items() if data is not None}
    if manifest:
        said = json.loads(members.pop("manifest.json"))
        said["members"] = {n: hashlib.sha256(d).hexdigest() for n, d in members.items()}
        members["manifest.json"] = json.dumps(said).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def lines(path, member, change):
    """Give a member with every line changed."""
    with zipfile.ZipFile(path) as file:
        items = [json.loads(line) for line in file.read(member).splitlines()]
    return {member: b"".join(json.dumps(change(item)).encode() + b"\n" for item in items)}


def refused(other, path, tmp_path, match=None):
    with pytest.raises(InvalidFile, match=match):
        other.import_user(path)
    assert (other.count(), other.states()) == (0, [])
    audit(other, tmp_path / "other")


def test_an_export_is_one_person_and_nobody_else(store, path):
    manifest = store.export_user("ada", path)
    assert (manifest.user, manifest.records, manifest.states) == ("ada", 3, 3)
    with zipfile.ZipFile(path) as file:
        assert {*manifest.members, "manifest.json"} == set(file.namelist())
        assert all(b"bob" not in file.read(name) for name in file.namelist())


def test_the_same_data_gives_the_same_bytes(store, path, tmp_path):
    store.export_user("ada", tmp_path / "again.zip")
    assert path.read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_import_brings_records_and_states_and_their_lineage(store, path, other, tmp_path):
    imported = other.import_user(path)
    assert (imported.user, imported.records, imported.states) == ("ada", Added(3, 0), 3)
    assert other.user("ada") == store.user("ada")
    assert other.states() == store.states("ada")
    audit(other, tmp_path / "other")
    assert len(other.forget_record(record(0).id).states) == 3


def test_importing_again_changes_nothing(path, other):
    other.import_user(path)
    there, revision = other.states(), other.revision("ada")
    imported = other.import_user(path)
    assert (imported.records, imported.states, imported.left_out) == (Added(0, 3), 0, ())
    assert (other.states(), other.revision("ada")) == (there, revision)


def test_importing_restores_what_was_forgotten(store, path):
    before = store.user("ada")
    store.forget_user("ada")
    store.import_user(path)
    assert store.user("ada") == before


def test_importing_over_other_content_is_a_conflict(path, other, tmp_path):
    other.add([replace(record(1), output="something else", id=record(1).id)])
    with pytest.raises(Conflict, match=record(1).id):
        other.import_user(path)
    assert other.count() == 1
    audit(other, tmp_path / "other")


def test_importing_over_another_state_of_that_id_is_a_conflict(path, other, tmp_path):
    other.import_user(path)
    repack(path, lines(path, "states.jsonl", lambda state: state | {"facts": {"n": -1}}))
    with pytest.raises(Conflict, match="state id"):
        other.import_user(path)


def test_a_state_of_a_parent_that_is_not_there_is_left_out(store, other, tmp_path):
    store.add([*batch(2), *batch(1, "bob")])
    shared = store.keep(made_from(batch(1, "bob"), user=None))
    own = store.keep(made_from(batch(1), parents=[shared]))
    store.export_user("ada", tmp_path / "ada.zip")
    assert other.import_user(tmp_path / "ada.zip").left_out == (own.id,)
    assert other.states() == []
    store.forget_user("ada")
    assert store.import_user(tmp_path / "ada.zip").states == 1
    audit(store, tmp_path)


def test_a_newer_state_of_the_same_key_is_not_replaced(store, path):
    newer = store.keep(made_from(batch(3), method="mean", facts={"new": 1}))
    imported = store.import_user(path)
    assert store.state(newer.key).id == newer.id
    assert len(imported.left_out) == 1


def test_exporting_nobody_is_an_error(store, tmp_path):
    with pytest.raises(UnknownUser):
        store.export_user("ada", tmp_path / "ada.zip")
    assert not (tmp_path / "ada.zip").exists()


def test_exporting_a_damaged_artifact_is_an_error(store, path, tmp_path):
    for file in (tmp_path / "ipse.db.artifacts").glob("*.safetensors"):
        file.unlink()
    with pytest.raises(StoreFailure, match="ipse enroll ada"):
        store.export_user("ada", tmp_path / "again.zip")
    assert not (tmp_path / "again.zip").exists()


@pytest.mark.parametrize("part", range(0, 100, 9))
def test_a_flipped_bit_is_refused(archive, other, tmp_path, part):
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:  # the members' bytes; zip has fields that mean nothing
        spans = [(i.header_offset + 30 + len(i.filename), i.file_size) for i in file.infolist()]
    places = [start + n for start, size in spans for n in range(size)]
    data[places[len(places) * part // 100]] ^= 4
    archive.write_bytes(data)
    refused(other, archive, tmp_path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_archive_is_refused(archive, other, tmp_path, part):
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * part)])
    refused(other, archive, tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"../../evil.txt": b"x"},
        {"/etc/evil": b"x"},
        {"artifacts/../evil.safetensors": b"x"},
        {"notes.txt": b"x"},
        {f"artifacts/{'0' * 64}.safetensors": b"x"},
        {"manifest.json": None},
        {"records.jsonl": None},
        {"states.jsonl": None},
        {"records.jsonl": b""},
        {"records.jsonl": b"{}\n"},
        {"records.jsonl": b"[" * 100_000},
        {"states.jsonl": b"{}\n{}\n"},
        {"states.jsonl": b"\xff\n"},
    ],
    ids=lambda changes: next(iter(changes))[:24],
)
def test_members_that_are_not_ours_are_refused(archive, other, tmp_path, changes):
    before = set(tmp_path.rglob("*"))
    repack(archive, changes, manifest="manifest.json" not in changes)
    refused(other, archive, tmp_path)
    assert set(tmp_path.rglob("*")) - before <= {*(tmp_path / "other").rglob("*")}


@pytest.mark.parametrize("member", ["records.jsonl", "states.jsonl"])
def test_rows_of_another_person_are_refused(archive, other, tmp_path, member):
    repack(archive, lines(archive, member, lambda item: item | {"user": "bob"}))
    refused(other, archive, tmp_path, "'ada'")


@pytest.mark.parametrize(
    "change",
    [
        {"made": "now"},
        {"id": ""},
        {"method": 5},
        {"facts": float("nan")},
        {"parents": [[]]},
        {"x": 1},
    ],
    ids=str,
)
def test_rows_that_are_no_state_are_refused(archive, other, tmp_path, change):
    repack(archive, lines(archive, "states.jsonl", lambda item: item | change))
    refused(other, archive, tmp_path)


def test_a_state_of_a_record_that_is_not_in_the_archive_is_refused(archive, other, tmp_path):
    """Otherwise one could ask a store for others' records, and be forgotten with them."""
    other.add([record(0, "bob", id="bobs")])
    repack(archive, lines(archive, "states.jsonl", lambda item: item | {"lineage": ["bobs"]}))
    with pytest.raises(InvalidFile, match="made from a record that is not"):
        other.import_user(archive)
    assert (other.count(), other.states()) == (1, [])


def test_two_states_of_one_id_are_refused(archive, other, tmp_path):
    repack(
        archive, lines(archive, "states.jsonl", lambda item: item | {"id": "one", "parents": []})
    )
    refused(other, archive, tmp_path, "one id")


def test_an_artifact_under_a_false_hash_is_refused(archive, other, tmp_path):
    with zipfile.ZipFile(archive) as file:
        one, two = [name for name in file.namelist() if name.startswith("artifacts/")][:2]
        repack(archive, {one: file.read(two)})
    refused(other, archive, tmp_path, "content hash")


def test_a_bomb_is_refused_before_it_is_unpacked(archive, other, tmp_path):
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("records.jsonl.bomb", b"0" * 50_000_000)
    refused(other, archive, tmp_path, "more than its own size")


def test_members_that_share_their_bytes_are_refused(archive, other, tmp_path):
    with zipfile.ZipFile(archive, "a") as file:
        file.filelist += [file.getinfo("records.jsonl")] * 50
        file._didModify = True
    refused(other, archive, tmp_path, "more than its own size")


def test_a_compressed_archive_is_refused_with_the_way_to_pack_it(archive, other, tmp_path):
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in members.items():
            deflated = name == "states.jsonl"
            kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            file.writestr(name, data, compress_type=kind)
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = b"x" * 5000  # so that its size does not give it away
    refused(other, archive, tmp_path, "zip -0")


def test_a_failed_import_leaves_no_artifact(archive, other, tmp_path, monkeypatch):
    monkeypatch.setattr("ipse.store.states.insert_state", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other.import_user(archive)
    assert other.count() == 0
    assert artifact_files(tmp_path / "other") == set()
