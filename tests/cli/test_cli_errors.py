from __future__ import annotations

import signal
import subprocess
import sys
import time
from functools import partial

import pytest

import ipse.cli.asking
import ipse.cli.people
from ipse.errors import BackendFailure

USAGE = [
    (["nope"], "No such command 'nope'. Try: ipse --help"),
    (["--nope"], "No such option: --nope"),
    (["ask"], "Missing argument 'question'. Try: ipse ask --help"),
    (["users", "--limit", "x"], "Invalid value for '--limit'"),
    (["records", "ada", "--kind", "nope"], "'nope' is not one of"),
    (["ask", "hi", "--user", "eve"], "nobody 'eve' in this store. List people: ipse users"),
    (["chat", "--user", "eve"], "nobody 'eve' in this store. List people: ipse users"),
    (["records", "eve"], "List people: ipse users"),
    (["profile", "eve"], "List people: ipse users"),
    (["enroll", "eve"], "List people: ipse users"),
    (["forget", "eve", "--yes"], "List people: ipse users"),
    (["export", "eve", "x.zip"], "List people: ipse users"),
    (["forget", "ada"], "nobody can be asked whether to forget. Run it again with --yes"),
    (["forget", "ada", "zzzz", "--yes"], "user 'ada' has no record 'zzzz'"),
    (["forget", "ada", "", "--yes"], "user 'ada' has no record ''"),
    (["ask", "hi", "--method", "nope"], "unknown method 'nope'. Known: amulet, best-of-n"),
    (["ask", "hi", "--strength", "2"], "strength must be between 0 and 1; got 2.0"),
    (["ask", "hi", "--max-tokens", "0"], "max_tokens must be at least 1; got 0"),
    (["ask", "hi", "-u", "ada", "--method", "dense"], "this needs embed"),
    (["users", "--backend", "nope"], "should be one of echo, http, local; got 'nope' from --back"),
    (["users", "--store", "absent.db"], "there is no store 'absent.db'. Run: ipse init"),
    (["ask", "hi", "--backend", "http"], "the backend 'http' needs the setting 'base_url'"),
    (["users", "--config", "absent.toml"], "cannot read the settings in absent.toml"),
    (["remember", "ada", " "], "a record's output must say something"),
    (["remember", "ada", "x", "--time", "soon"], "a time is ISO 8601 with a zone"),
    (["users", "--cursor", "x"], "'x' is no cursor of this list"),
]


@pytest.mark.parametrize(("args", "said"), USAGE, ids=[" ".join(args) for args, _ in USAGE])
def test_usage_errors_are_one_line_and_status_2(ada, args, said):
    ran = ada(*args)
    assert ran.status == 2
    assert ran.err.startswith("ipse: ")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert ran.out == ""


def test_an_ambiguous_id_asks_for_more(ada, folder):
    records = '{"user": "ada", "kind": "content", "output": "%s", "id": "same-%s"}\n'
    (folder / "a.jsonl").write_text(records % ("a", 1) + records % ("b", 2))
    ada("import", "jsonl", "a.jsonl")
    assert "2 records of 'ada' have ids like 'same'" in ada("forget", "ada", "same", "--yes").err
    assert ada("forget", "ada", "same-1", "--yes").status == 0


def test_no_store_is_made_by_who_only_reads(run, folder):
    assert run("users").status == 2
    assert not (folder / "ipse.db").exists()


def test_a_failure_has_status_1(ada, folder, monkeypatch):
    (folder / "no.db").write_text("this is no database at all, only text" * 9)
    ran = ada("users", "--store", "no.db")
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)

    def fail(*_, **__):
        raise BackendFailure("the server\nis gone")

    monkeypatch.setattr(ipse.cli.asking, "write", fail)
    ran = ada("ask", "hi")
    assert (ran.status, ran.err) == (1, "ipse: the server is gone\n")


@pytest.mark.parametrize("args", [["users"], ["--debug", "users"]])
def test_a_surprise_is_one_line_unless_debugged(ada, monkeypatch, args):
    def surprise(*_):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(ipse.cli.people, "table", surprise)
    ran = ada(*args)
    assert ran.status == 1
    last = ran.err.splitlines()[-1]
    assert last == "ipse: ZeroDivisionError: by nothing (for the traceback: ipse --debug ...)"
    assert ("Traceback" in ran.err) == ("--debug" in args)


def test_interrupted_is_130(ada, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ipse.cli.people, "table", interrupt)
    ran = ada("users")
    assert (ran.status, ran.out, ran.err) == (130, "", "")


def test_a_signal_and_a_closed_pipe_are_quiet(ada):
    command = [sys.executable, "-c", "from ipse.cli import main; main()"]
    pipes: dict = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # Where the tests run in the background, a shell may have told them to ignore the signal.
    pipes["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with (
        subprocess.Popen([*command, "chat"], **pipes) as talk,
        subprocess.Popen([*command, "records", "ada"], **pipes) as listing,
    ):
        listing.stdout.close()
        talk.stdin.write(b"hello\n")
        talk.stdin.flush()
        assert talk.stdout.readline() == b"[user] hello\n"
        time.sleep(0.05)
        talk.send_signal(signal.SIGINT)
        assert (talk.wait(10), talk.stderr.read()) == (130, b"")
        assert (listing.wait(10), listing.stderr.read()) == (1, b"")
