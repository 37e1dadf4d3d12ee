from __future__ import annotations

import pytest

ASK = ("ask", "tea?", "--user", "ada", "--method", "recent:k=1", "--json")


@pytest.fixture
def reply(ada):
    return ada(*ASK).json["id"]


def said(ada):
    newest_first = ada("records", "ada", "--json").json["records"]
    return [record for record in reversed(newest_first) if record["source"] == "feedback"]


def test_an_answer_as_json_has_the_id_of_the_reply(ada, reply):
    (kept,) = ada("replies", "ada", "--json").json["replies"]
    assert (kept["id"], kept["question"], kept["methods"]) == (reply, "tea?", "recent:k=1")
    assert kept["answer"] == ada(*ASK).json["answer"]
    assert ada("ask", "tea?", "--json").json["id"] == ""


def test_an_answer_in_words_is_kept_too_and_its_id_is_shown_where_it_is_explained(ada):
    out = ada("ask", "tea?", "--user", "ada", "--explain").out
    listed = ada("replies", "ada").out
    name = ada("replies", "ada", "--json").json["replies"][0]["id"][:8]
    assert f"reply: {name}" in out
    assert name in listed
    assert "tea?" in listed


@pytest.mark.parametrize(
    ("flags", "how", "output"),
    [
        (("--up",), "thumb", "up"),
        (("--down",), "thumb", "down"),
        (("--rating", "4"), "rating", "4"),
        (("--edit", "Green tea."), "edit", "Green tea."),
        (("--edit", "draft.txt"), "edit", "Green tea, from a file."),
        (("--better-than", "Coffee."), "choice", None),
    ],
)
def test_what_is_said_becomes_a_record(ada, reply, folder, flags, how, output):
    answer = ada("replies", "ada", "--json").json["replies"][0]["answer"]
    (folder / "draft.txt").write_text("Green tea, from a file.")
    ran = ada("feedback", "ada", reply[:8], *flags, "--json")
    assert (ran.status, ran.json["new"], ran.json["reply"]) == (0, 1, reply)
    (record,) = said(ada)
    assert record == ran.json["records"][0]
    assert record["meta"]["how"] == how
    assert record["output"] == (output or answer)
    assert "Already knew" in ada("feedback", "ada", reply, *flags).out


def test_several_things_at_once(ada, reply):
    out = ada("feedback", "ada", reply, "--up", "--rating", "5", "--edit", "Green.").out
    assert out.startswith("Noted ")
    assert "facets learned of it" in out
    assert len(said(ada)) == 3


@pytest.mark.parametrize(
    ("name", "how"), [("--better-than", "choice"), ("--regenerated", "regeneration")]
)
def test_another_reply_is_named_by_the_start_of_its_id(ada, reply, name, how):
    other = ada(*ASK, "--method", "generic").json["id"]
    ran = ada("feedback", "ada", reply, name, other[:8], "--json")
    assert ran.json["records"][0]["meta"]["how"] == how
    assert ran.json["records"][0]["meta"]["other_reply_id"] == other


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("ada", "REPLY"), "nothing was said of the reply. Give a thumb, rating, edit or choice"),
        (("ada", "REPLY", "--up", "--down"), "Give one of --up and --down"),
        (("ada", "REPLY", "--rating", "9"), "a rating is a number from 1 to 5; got 9.0"),
        (("ada", "REPLY", "--rating", "nan"), "a rating is a number from 1 to 5; got nan"),
        (("ada", "nothing", "--up"), "no reply 'nothing' to 'ada' is kept. List replies: ipse"),
        (("eve", "REPLY", "--up"), "there is nobody 'eve'"),
        (("ada", "REPLY", "--regenerated", "nothing"), "no reply 'nothing' to 'ada'"),
        (("ada", "REPLY", "--edit", "x" * 1_000_001), "at most 1,000,000 characters"),
        (("ada", "REPLY", "--edit", "binary"), "binary is not text in UTF-8"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_taken_is_said_in_one_line(ada, reply, folder, args, message):
    (folder / "binary").write_bytes(b"\xff\xfe\xff")
    ran = ada("feedback", *(reply if each == "REPLY" else each for each in args))
    assert (ran.status, len(ran.err.splitlines())) == (2, 1)
    assert message in ran.err
    assert said(ada) == []


def test_explain_shows_which_feedback_shaped_the_answer(ada, reply):
    why = ("explain", "tea?", "--user", "ada", "--method", "facets")
    assert "feedback:" not in ada(*why).out
    ada("feedback", "ada", reply, "--edit", "Green tea.", "--up")
    out = ada(*why).out
    assert "feedback: 1 edit, 1 thumb" in out
    assert 'preferred "Green tea."' in out
    asked = ada(*ASK, "--method", "facets", "--explain").json
    assert sorted(asked["feedback"]) == sorted(record["id"] for record in said(ada))
    assert "feedback:" not in ada(*why[:-1], "generic").out


def test_a_setting_says_how_many_are_kept(ada, monkeypatch):
    monkeypatch.setenv("IPSE_KEEP_REPLIES", "0")
    assert ada(*ASK).json["id"] == ""
    assert ada("replies", "ada", "--json").json["replies"] == []


def test_a_receipt_counts_replies_and_an_export_holds_them(ada, reply, folder):
    exported = ada("export", "ada", "ada.zip", "--json").json
    assert exported["replies"] == 1
    assert ada("forget", "ada", "--yes", "--json").json["replies"] == 1
    assert ada("import", "ipse", "ada.zip", "--json").json["replies"] == 1
    assert ada("replies", "ada", "--json").json["replies"][0]["id"] == reply
    assert "1 reply" in ada("forget", "ada", "--yes").out
