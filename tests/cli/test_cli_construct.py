"""`ipse construct`: files of made-up preferences that `ipse import` reads."""

from __future__ import annotations

import json

import pytest

ROWS = [
    {"prompt": "Tea?", "answers": ["Yes.", "Yes, with a lot of milk, please.", "Why?"]},
    {"prompt": "Car?", "answers": ["No.", "Never in the city, it takes too long.", "Red!"]},
]


@pytest.fixture
def prompts(folder):
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return "p.jsonl"


@pytest.mark.parametrize("kind", ["simulated", "values", "recall", "personas"])
def test_what_is_made_can_be_imported_and_is_nobodys(run, folder, prompts, kind):
    for name in ("ada", "bob"):
        run("remember", name, f"I am {name}.")
    given = ("--from", prompts) if kind in ("simulated", "values") else ()
    ran = run("construct", kind, "--out", "made.jsonl", "--people", "3", *given, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["records"] > 0
    taken = run("import", "jsonl", "made.jsonl", "--strict", "--json").json
    assert (taken["new"], taken["malformed"]) == (ran.json["records"], 0)
    real = {person["id"] for person in run("users", "--json").json["users"]}
    assert {name for name in real if not name.startswith("constructed-")} == {"ada", "bob"}
    assert run("records", "ada", "--json").json["records"][0]["source"] == ""


def test_what_was_constructed_is_not_taken_for_a_person(run, folder, prompts):
    run("remember", "ada", "I am ada.")
    run("construct", "recall", "--out", "one.jsonl")
    run("import", "jsonl", "one.jsonl")
    again = run("construct", "recall", "--out", "two.jsonl", "--json").json
    assert set(again["users"]) == {"constructed-recall-ada"}


def test_the_same_seed_writes_the_same_file(run, folder, prompts):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        args = ("--from", prompts, "--rewards", "length,hedging", "--seed", seed)
        run("construct", "simulated", "--out", f"{name}.jsonl", *args)
    a, b, c = ((folder / f"{name}.jsonl").read_text() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nope",), "unknown kind of construction 'nope'"),
        (("values",), "values needs prompts: --from FILE"),
        (("simulated", "--from", "bad.jsonl"), "bad.jsonl:1: simulated needs one JSON object"),
        (("simulated", "--from", "p.jsonl", "--rewards", "x"), "unknown reward 'x'"),
        (("personas", "--from", "p.jsonl"), "personas reads no file"),
        (("values", "--from", "empty.jsonl"), "holds no prompts"),
        (("values", "--from", "p.jsonl", "--people", "1"), "people must be from 2 to"),
    ],
)
def test_what_cannot_be_made_is_refused(run, folder, prompts, args, said):
    (folder / "bad.jsonl").write_text('{"prompt": "Tea?"}\n')
    (folder / "empty.jsonl").write_text("")
    ran = run("construct", *args, "--out", "x.jsonl")
    assert ran.status == 2
    assert said in ran.err
    assert not (folder / "x.jsonl").exists()


def test_no_file_is_written_over(run, folder, prompts):
    assert run("construct", "values", "--from", prompts, "--out", prompts).status == 2
