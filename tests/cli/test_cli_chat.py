from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from ipse.backends.echo import EchoBackend
from ipse.records import Record
from ipse.store import Store


def test_a_piped_talk_keeps_its_history(ada):
    ran = ada("chat", typed="hello\n\nand then?\n")
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "[user] hello",
        "[user] hello",
        "[assistant] [user] hello",
        "[user] and then?",
    ]


def test_commands_change_how_answers_are_made(ada):
    typed = "/method bm25:k=1\ntea?\n/why\n/strength 0\n/new\ntea?\n/quit\nnot asked\n"
    out = ada("chat", "--user", "ada", typed=typed).out
    assert "methods: bm25:k=1" in out
    assert "evidence:" in out
    assert out.count("I love green tea") == 2  # what was read, and why
    assert out.endswith("A new conversation\n[user] tea?\n")


def test_only_remember_stores(ada):
    ada("chat", "--user", "ada", typed="my name is Ada\n")
    assert len(ada("records", "ada", "--json").json["records"]) == 3
    ada("chat", "--user", "ada", typed="/remember my name is Ada\n")
    newest = ada("records", "ada", "--json").json["records"][0]
    assert (newest["output"], newest["source"]) == ("my name is Ada", "chat")
    out = ada("chat", "--user", "ada", typed=f"/forget {newest['id'][:8]}\n").out
    assert f"Forgot {newest['id'][:8]}" in out
    assert len(ada("records", "ada", "--json").json["records"]) == 3


def test_json_gives_the_whole_talk(ada):
    typed = "tea?\n/help\n/new\nagain\n"
    ran = ada("chat", "--user", "ada", "--method", "recent:k=1", "--json", typed=typed)
    assert [turn["question"] for turn in ran.json["turns"]] == ["tea?", "again"]
    assert len(ran.json["turns"][0]["evidence"]) == 1
    assert "/remember" in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/nope", "unknown command '/nope'. Did you mean '/new'? Known: /again"),
        ("/strength much", "strength must be between 0 and 1; got 'much'. Try: /strength 0.5"),
        ("/method nope", "unknown method 'nope'"),
        ("/remember x", "nobody in particular is talking. Run: ipse chat --user USER"),
        ("/forget x", "nobody in particular is talking"),
        ("/up", "nobody in particular is talking"),
        ("/again", "nothing was answered yet. Ask something first"),
    ],
)
def test_a_piped_error_ends_the_talk(ada, line, said):
    ran = ada("chat", typed=f"{line}\nhello\n")
    assert ran.status == 2
    assert said in ran.err
    assert ran.out == ""


@pytest.fixture
def varied(monkeypatch):
    """An echo that answers otherwise with another seed."""
    stream = EchoBackend.stream

    def warm(lm, plan):
        yield from stream(lm, plan)
        yield f"\n{plan.sampling.seed}" if plan.sampling.temperature else ""

    monkeypatch.setattr(EchoBackend, "stream", warm)


def told(ada):
    """What was said of replies, oldest first: how, and what."""
    newest_first = ada("records", "ada", "--json").json["records"]
    said = [record for record in reversed(newest_first) if record["source"] == "feedback"]
    return [(record["meta"]["how"], record["output"]) for record in said]


TALK = ("chat", "--user", "ada", "--method", "recent:k=1")


def test_what_is_said_of_answers_is_noted(ada):
    out = ada(*TALK, typed="tea?\n/up\n/up\n/rate 4\n/edit Green tea.\n/better Coffee.\n").out
    assert out.count("Noted ") == 4
    assert out.count("Already knew ") == 1
    assert [how for how, _ in told(ada)] == ["thumb", "rating", "edit", "choice"]
    assert told(ada)[2] == ("edit", "Green tea.")


def test_an_edit_stands_in_the_talk_from_then_on(ada):
    out = ada(*TALK, typed="tea?\n/edit Green tea.\nand then?\n").out
    assert "[assistant] Green tea.\n[user] and then?" in out


def test_asking_again_says_nothing_until_one_is_kept(ada, varied):
    assert "[user] tea?\n1\n" in ada(*TALK, typed="tea?\n/again\n").out
    assert told(ada) == []
    ada(*TALK, typed="tea?\n/again\n/better\n")
    assert [(how, text.splitlines()[-1]) for how, text in told(ada)] == [("regeneration", "1")]


def test_the_answer_before_may_be_the_better_one_and_is_then_the_one_that_stands(ada, varied):
    ran = ada(*TALK, "--json", typed="tea?\n/again\n/worse\nand then?\n")
    assert [turn["question"] for turn in ran.json["turns"]] == ["tea?", "tea?", "and then?"]
    assert [(how, text.splitlines()[-1]) for how, text in told(ada)] == [("choice", "[user] tea?")]
    assert "tea?\n1" not in ran.json["turns"][2]["answer"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/up", "nothing was answered yet"),
        ("tea?\n/rate much", "a rating is a number; got 'much'. Try: /rate 4"),
        ("tea?\n/rate nan", "a rating is a number from 1 to 5; got nan"),
        ("tea?\n/better", "there is no answer before this one. Type /again"),
        ("tea?\n/worse", "there is no answer before this one. Type /again"),
        ("tea?\n/edit", "a record's output must say something"),
    ],
)
def test_what_cannot_be_said_of_an_answer_is_told(ada, typed, said):
    ran = ada(*TALK, typed=f"{typed}\n")
    assert (ran.status, said in ran.err) == (2, True)
    assert told(ada) == []


def test_after_something_is_forgotten_the_talk_that_read_it_is_not_kept(ada):
    record = ada("records", "ada", "--json").json["records"][0]["id"]
    ran = ada(*TALK, typed=f"tea?\n/forget {record}\nand then?\n/up\n")
    assert "this answer is not kept" in ran.err
    assert ada("replies", "ada", "--json").json["replies"] == []


def at_terminal(*args: str, typed: str) -> tuple[int, str, str]:
    """Run a command whose standard input is a terminal."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-c", "from ipse.cli import main; main()", *args]
    with subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        os.write(controller, typed.encode())
        out, err = process.communicate(timeout=20)
    os.close(controller)
    os.close(terminal)
    return process.returncode, out, err


def test_at_a_terminal_an_error_does_not_end_the_talk(ada):
    status, out, err = at_terminal("chat", typed="/nope\nhello\n/quit\n")
    assert status == 0
    assert "ipse: unknown command '/nope'" in err
    assert "[user] hello\n" in out


def test_at_a_terminal_forgetting_is_asked_for(ada):
    status, _, err = at_terminal("forget", "ada", typed="n\n")
    assert status == 1
    assert "Forget ada, 3 records, and all that was learned from it?" in err
    assert "Nothing was forgotten." in err
    assert at_terminal("forget", "ada", typed="y\n")[0] == 0
    assert ada("users", "--json").json["users"] == []


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_a_record_forgotten_while_the_model_writes_is_left_out(ada, monkeypatch, command):
    def stream(lm, plan):
        yield "an answer"
        with Store.open("ipse.db") as store:
            store.forget_record(plan.evidence[0], "ada")

    monkeypatch.setattr(EchoBackend, "stream", stream)
    who = ("--user", "ada", "--method", "recent:k=1")
    if command == "ask":
        ran = ada("ask", "tea?", *who, "--explain")
    else:
        ran = ada("chat", *who, typed="tea?\n/why\n")
    assert (ran.status, "an answer" in ran.out) == (0, True)
    assert "evidence: none" in ran.out


@pytest.fixture
def crowd(ada):
    """A few who share which of two answers they like better."""
    everyone = frozenset({"prompt", "train", "share"})
    with Store.open("ipse.db") as store:
        store.add(
            Record(
                user=f"p{n % 4}", kind="preference", input=f"tea, {n}?", uses=everyone,
                output="Yes. " * (1 + n % 3), rejected="Yes. " * (6 - 2 * (n % 2)),
            )
            for n in range(16)
        )  # fmt: skip
    assert ada("enroll", "--fit", "--method", "low-rank-reward:features=attributes").status == 0


ASK = ("chat", "--user", "ada", "--method", "recent:k=1+low-rank-reward:features=attributes")


def test_of_two_answers_the_one_that_is_picked_is_preferred_and_stands(ada, varied, crowd):
    out = ada(*ASK, typed="/ask tea?\n/pick 2\nand then?\n").out
    second = out.split("2: ")[1].split("\n\n")[0]
    assert "Which is better? /pick 1 or /pick 2." in out
    assert told(ada) == [("choice", second)]
    assert f"[assistant] {second}\n[user] and then?" in out


def test_two_answers_of_which_none_is_picked_say_nothing(ada, varied, crowd):
    out = ada(*ASK, typed="tea?\n/ask\nand then?\n").out
    assert told(ada) == []
    assert out.endswith("[user] tea?\n[user] and then?\n")  # the first answer, and no draft


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/pick 1", "there is nothing to pick from. Type /ask first"),
        ("/ask tea?\n/pick 3", "pick one of the two; got '3'. Try: /pick 1"),
        ("/ask tea?\ncoffee?\n/pick 1", "there is nothing to pick from"),
        ("/ask tea?\n/pick 1\n/pick 2", "there is nothing to pick from"),
    ],
)
def test_what_cannot_be_picked_is_told(ada, varied, crowd, typed, said):
    ran = ada(*ASK, typed=f"{typed}\n")
    assert (ran.status, said in ran.err) == (2, True)


def test_asking_before_anything_was_learned_of_everyone_says_what_to_do(ada, varied):
    ran = ada(*ASK, typed="/ask tea?\n")
    assert (ran.status, "ipse enroll --fit --method low-rank" in ran.err) == (2, True)
