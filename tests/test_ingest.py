from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import pytest

from ipse import ingest as module
from ipse.errors import InvalidFile, Unknown, UsageError
from ipse.ingest import FORMATS, SHOWN, check, ingest
from ipse.records import Record
from ipse.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "ipse.db") as opened:
        yield opened


def write(path, count, bad=(), **more):
    lines = [
        json.dumps({"user": "ada", "kind": "content", "output": f"text {number}", **more})
        for number in range(count)
    ]
    for place in bad:
        lines[place] = "bad"
    path.write_text("\n".join(lines))
    return path


def test_batches_are_written_as_they_are_read(store, tmp_path):
    seen = []
    path = write(tmp_path / "a.jsonl", 2500, time="2026-01-01T00:00:00+00:00")
    found = ingest(store, "jsonl", path, progress=lambda n: seen.append((n, store.count())))
    assert seen == [(1000, 1000), (2000, 2000), (2500, 2500)]
    assert (found.new, found.known, found.kinds) == (2500, 0, {"content": 2500})
    again = ingest(store, "jsonl", path)
    assert (again.new, again.known) == (0, 2500)


def test_a_killed_import_leaves_whole_batches_and_is_finished_by_another(tmp_path):
    path = write(tmp_path / "a.jsonl", 20_000, time="2026-01-01T00:00:00+00:00")
    code = (
        "import sys; from ipse.ingest import ingest; from ipse.store import Store\n"
        "say = lambda done: print(done, flush=True)\n"
        "ingest(Store.open(sys.argv[1]), 'jsonl', sys.argv[2], progress=say)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "ipse.db"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as importing:
        assert importing.stdout.readline() == b"1000\n"
        importing.kill()
    with Store.open(tmp_path / "ipse.db") as store:
        left = store.count()
        assert left % 1000 == 0
        assert 1000 <= left < 20_000
        found = ingest(store, "jsonl", path)
        assert (found.known, found.new, store.count()) == (left, 20_000 - left, 20_000)


def test_every_problem_is_counted_and_the_first_are_kept(store, tmp_path):
    found = ingest(store, "jsonl", write(tmp_path / "a.jsonl", 100, bad=range(10, 60)))
    assert (found.new, found.malformed, len(found.problems)) == (50, 50, SHOWN)
    assert found.problems[0].line == 11
    assert found.written


def test_strict_is_all_or_nothing(store, tmp_path):
    refused = ingest(store, "jsonl", write(tmp_path / "a.jsonl", 2500, bad=[2400]), strict=True)
    assert (refused.written, refused.new, refused.malformed) == (False, 0, 1)
    assert store.count() == 0
    taken = ingest(store, "jsonl", write(tmp_path / "a.jsonl", 2500), strict=True)
    assert (taken.new, taken.kinds, store.count()) == (2500, {"content": 2500}, 2500)


def test_strict_notices_a_file_that_changes_meanwhile(store, tmp_path, monkeypatch):
    path = write(tmp_path / "a.jsonl", 10)
    calls = []

    def changing(name, where, **options):
        calls.append(name)
        return read(name, write(path, 10, bad=[5] if len(calls) > 1 else []), **options)

    read = module.read
    monkeypatch.setattr(module, "read", changing)
    with pytest.raises(InvalidFile, match="changed while it was read"):
        ingest(store, "jsonl", path, strict=True)
    assert store.count() == 0


def conflicting(path):
    lines = [{"user": "ada", "kind": "content", "output": str(n), "id": f"r{n}"} for n in range(50)]
    lines[20]["output"] = "not what the store says"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def test_a_record_that_conflicts_is_a_problem_and_the_others_are_written(store, tmp_path):
    store.add([Record(user="ada", kind="content", output="20", id="r20")])
    path = conflicting(tmp_path / "a.jsonl")
    found = ingest(store, "jsonl", path)
    assert (found.new, found.malformed, found.kinds) == (49, 1, {"content": 49})
    assert "record id 'r20' is taken" in found.problems[0].reason
    assert store.record("r20").output == "20"


def test_a_conflict_in_strict_writes_nothing(store, tmp_path):
    store.add([Record(user="ada", kind="content", output="20", id="r20")])
    found = ingest(store, "jsonl", conflicting(tmp_path / "a.jsonl"), strict=True)
    assert (found.written, found.malformed, store.count()) == (False, 1, 1)


def test_an_export_is_a_format(store, tmp_path):
    store.add([Record(user="ada", kind="content", output="tea")])
    store.export_user("ada", tmp_path / "ada.zip")
    store.forget_user("ada")
    assert ingest(store, "ipse", tmp_path / "ada.zip").new == 1
    assert ingest(store, "ipse", tmp_path / "ada.zip").known == 1


def test_an_unknown_format_lists_all(store):
    with pytest.raises(Unknown, match=f"Known: {', '.join(FORMATS)}"):
        ingest(store, "nope", "x")


@pytest.mark.parametrize(
    ("name", "file", "options", "error"),
    [
        ("poem", "a", {}, Unknown),
        ("jsonl", "none", {}, InvalidFile),
        ("ipse", "none", {}, InvalidFile),
        ("ipse", "a", {"user": "ada"}, UsageError),
        ("jsonl", "a", {"color": "red"}, Unknown),
        ("chatgpt", "a", {}, UsageError),
        ("csv", "a", {"delimiter": "||"}, UsageError),
    ],
)
def test_wrong_arguments_are_refused_before_there_is_a_store(tmp_path, name, file, options, error):
    (tmp_path / "a").write_text("")
    with pytest.raises(error):
        check(name, tmp_path / file, **options)


def test_right_arguments_are_taken_without_reading(tmp_path):
    (tmp_path / "a").write_text("nothing good")
    check("jsonl", tmp_path / "a")
    check("ipse", tmp_path / "a")


def test_a_broken_part_of_a_zip_keeps_the_others_and_is_counted(store, tmp_path):
    said = {"author": {"role": "user"}, "create_time": 1, "content": {"content_type": "text"}}
    said["content"]["parts"] = ["Hi"]
    good = [{"mapping": {"a": {"message": said}}, "current_node": "a"}]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("conversations-000.json", json.dumps(good))
        archive.writestr("conversations-001.json", "[broken")
    found = ingest(store, "chatgpt", tmp_path / "a.zip", user="ada")
    assert (found.new, found.malformed) == (1, 1)
    strict = ingest(store, "chatgpt", tmp_path / "a.zip", user="bob", strict=True)
    assert (strict.written, store.count()) == (False, 1)
