from __future__ import annotations

from pathlib import Path

import pytest

GOOD = '{"user": "bob", "kind": "content", "output": "%s"}\n'


@pytest.fixture
def mixed(folder):
    lines = [GOOD % number for number in range(30)]
    (folder / "mixed.jsonl").write_text("".join(lines) + "not json\n" * 25)
    return "mixed.jsonl"


def test_problems_are_reported_and_the_rest_is_written(run, mixed):
    ran = run("import", "jsonl", mixed)
    assert ran.status == 0
    assert "30 new records, 0 known, 25 malformed (30 content)" in ran.out
    lines = ran.err.strip().splitlines()
    assert lines[0].startswith("mixed.jsonl:31: not JSON")
    assert lines[20:] == ["… and 5 more like these"]
    assert "0 new records, 30 known" in run("import", "jsonl", mixed).out


def test_strict_writes_nothing(run, mixed):
    ran = run("import", "jsonl", mixed, "--strict")
    assert ran.status == 1
    assert "Nothing was written: 25 malformed" in ran.out
    assert "mixed.jsonl:31" in ran.err
    assert run("users", "--json").json["users"] == []


def test_columns_of_a_table(run, folder):
    (folder / "a.csv").write_text("who;says\nann;hello there\n")
    columns = ("--column", "who=user", "--column", "says=output", "--delimiter", ";")
    ran = run("import", "csv", "a.csv", *columns, "--kind", "dialogue", "--json")
    assert (ran.json["new"], ran.json["kinds"]) == (1, {"dialogue": 1})


def test_addresses_of_a_mailbox(run, folder):
    (folder / "a.mbox").write_text(
        "From ann Thu Jan  1 00:00:00 2026\nFrom: a@b.org\nSubject: Hi\n"
        "Date: Thu, 01 Jan 2026 00:00:00 +0000\n\nDear all, this is what I say.\n"
    )
    ran = run("import", "mbox", "a.mbox", "--me", "x@b.org", "--me", "a@b.org", "--user", "ann")
    assert "1 new records" in ran.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nope", "x"), "unknown format 'nope'. Known: chatgpt, csv, ipse, jsonl"),
        (("jsonl", "absent"), "no such file: absent"),
        (("jsonl", "x", "--task", "lamp-1"), "unknown option of the format 'jsonl'"),
        (("lamp", "x"), "needs the option 'task'"),
        (("csv", "x", "--column", "a"), "FILE=FIELD, such as review=output; got 'a'"),
        (("ipse", "x", "--user", "ada"), "the format 'ipse' has no options; got 'user'"),
    ],
)
def test_what_cannot_be_read_is_said(run, args, said):
    ran = run("import", *args)
    assert ran.status == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not Path("ipse.db").exists()


def test_a_task_is_named_as_its_paper_does(run, folder):
    (folder / "a.json").write_text("[]")
    assert run("import", "lamp", "a.json", "--task", "LaMP-3").status == 0


def test_preferences_say_how_many_are_disputed_and_so_does_the_doctor(run, folder):
    assert "preferences" not in run("doctor").out
    line = '{"prompt": "A title?", "chosen": "%s", "rejected": "%s"}\n'
    pairs = (("Tea", "Coffee"), ("Coffee", "Tea"), ("Tea", "Tea"), ("Tea", "Milk"))
    (folder / "pairs.jsonl").write_text("".join(line % pair for pair in pairs))
    ran = run("import", "preferences", "pairs.jsonl", "--user", "ada")
    assert "3 new records, 0 known, 1 malformed, 1 disputed: said both ways" in ran.out
    assert "pairs.jsonl:3: chosen and rejected are the same: 'Tea'" in ran.err
    found = {each["name"]: each["found"] for each in run("doctor", "--json").json["checks"]}
    assert found["preferences"] == "2 pairs of 1 people; 1 disputed: the latest counts"
