"""What the page is made of, without a browser."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from ipse.errors import InvalidFile, Unauthorized
from ipse.server.context import Served
from ipse.server.identity import OPEN
from ipse.server.page.charts import frontier, gains, least, timeline
from ipse.server.page.conversation import Answer, Conversation, Turn
from ipse.server.page.files import export, sample, take
from ipse.server.page.results import find, read
from ipse.server.page.sessions import Sessions
from ipse.server.page.shell import COOKIE, remembered
from ipse.server.page.writing import follow
from ipse.settings import Settings

GRID = Path(__file__).parents[2] / "docs" / "results" / "grid.json"
LINE = {"user": "cyd", "kind": "dialogue", "output": "I like rice"}


def answered(question, personal, evidence=()):
    generic = Answer("generic", "as it is", "g", whole=True)
    own = Answer("personal", personal, f"p-{question}", tuple(evidence), whole=True)
    return Turn(question, [generic, own])


def test_each_side_reads_its_own_answers_alone():
    last = Turn("and now?")
    talk = Conversation([answered("first", "own"), last])
    for side, text, name in (("generic", "as it is", "g"), ("personal", "own", "p-first")):
        messages, after = talk.before(last, side)
        assert [m.content for m in messages] == ["first", text]
        assert after == (name,)


def test_what_is_forgotten_takes_the_answers_that_read_it_and_those_after():
    gone, kept = sample()[:2]
    turns = [answered("a", "1", [kept]), answered("b", "2", [gone]), answered("c", "3")]
    talk = Conversation(turns)
    assert talk.forget(frozenset({gone.id})) == turns[1:]
    assert [turn.latest("personal") is None for turn in turns] == [False, True, True]
    assert all(turn.latest("generic") for turn in turns)


def test_an_answer_is_shown_as_it_grows_and_kept_once_whole(engine):
    shown = []

    def begin():
        return engine.stream("ada", "What is convincing?")

    pieces = asyncio.run(follow(begin, shown.append, Event()))
    assert all(late.startswith(early) for early, late in pairwise(shown))
    assert engine.store.reply(pieces.id, "ada").text == shown[-1]


def test_an_answer_that_is_stopped_is_not_kept(engine):
    stopped = Event()
    stopped.set()
    begun = asyncio.run(follow(lambda: engine.stream("ada", "Hello?"), lambda _: None, stopped))
    assert begun is None
    assert engine.store.replies("ada") == []


def test_what_goes_wrong_in_the_thread_is_raised_in_the_page(engine):
    with pytest.raises(InvalidFile, match="broken"):
        asyncio.run(follow(broken, lambda _: None, Event()))


def broken():
    raise InvalidFile("broken")


def test_an_export_comes_back_the_same(engine):
    before = engine.store.user("ada").records
    content = export(engine, "ada")
    engine.forget("ada")
    assert take(engine, "ada", "export.zip", content) == len(before)
    assert engine.store.user("ada").records == before


@pytest.mark.parametrize("line", [{**LINE, "user": "ada"}, {"user": "cyd"}, {**LINE, "kind": "x"}])
def test_a_file_of_another_or_malformed_is_refused_whole(engine, line):
    before = engine.store.count()
    content = "\n".join(map(json.dumps, (LINE, line))).encode()
    with pytest.raises(InvalidFile):
        take(engine, "cyd", "some.jsonl", content)
    assert engine.store.count() == before


@pytest.mark.parametrize("name", ["some.exe", "some.zip", "none.jsonl"])
def test_what_is_no_file_of_records_is_refused(engine, name):
    with pytest.raises(InvalidFile):
        take(engine, "cyd", name, b"")


def test_another_persons_export_is_refused(engine):
    content = export(engine, "ada")
    with pytest.raises(InvalidFile):
        take(engine, "bob", "export.zip", content)


def test_a_session_is_good_for_as_long_as_its_key(engine):
    sessions = Sessions(Served(engine, Settings(backend="echo")))
    assert sessions.caller("") == OPEN
    key, kept = engine.store.keys.create("ada")
    with pytest.raises(Unauthorized):
        sessions.caller("")
    assert sessions.begin(f"{key}x") is None
    token = sessions.begin(key)
    assert sessions.caller(token).subject == "ada"
    engine.store.keys.revoke(kept.id)
    with pytest.raises(Unauthorized):
        sessions.caller(token)


def test_who_signed_out_is_out(engine):
    sessions = Sessions(Served(engine, Settings(backend="echo")))
    key, _ = engine.store.keys.create()
    token = sessions.begin(key)
    assert sessions.caller(token).acting
    sessions.end(token)
    with pytest.raises(Unauthorized):
        sessions.caller(token)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "1", '{"dark": "yes", "person": 3}', '{"dark": 1}']
)
def test_a_strange_cookie_is_the_same_as_none(text):
    assert remembered({COOKIE: text}) == (None, "")


def test_a_timeline_counts_every_record_and_leaves_no_month_out():
    records = sorted(sample(), key=lambda record: record.time)
    options = timeline(records)
    assert sum(sum(series["data"]) for series in options["series"]) == len(records)
    assert len(options["xAxis"]["data"]) == 17  # February 2024 to June 2025


def test_the_published_results_are_read_and_drawn():
    assert find([GRID, GRID.parent / "nowhere", GRID.parent]).count(GRID) == 1
    for found in read(GRID):
        rows = [row for row in found.rows if row["gain"]]
        assert found.people > 1
        assert found.score in found.rows[0]["scores"]
        drawn = gains(rows, found.title)["yAxis"]["data"]
        assert sorted(drawn) == sorted(row["method"] for row in rows)
        assert len(frontier(rows, found.title)["series"][0]["data"]) == len(rows)
        assert least(rows) <= 0


def test_no_name_on_a_plot_hides_another_and_one_that_would_is_left_out():
    crowd = [(f"method-{n}", 1000 + n, 0.5 + n / 1e4) for n in range(9)]
    apart = [("slow", 9000, 0.9), ("bad", 200, 0.1)]
    rows = [
        {"method": name, "cost": {"ms": ms}, "gain": {"mean": mean, "low": mean, "high": 1.0}}
        for name, ms, mean in (*crowd, *apart)
    ]
    drawn = {each["name"]: each["label"] for each in frontier(rows, "score")["series"][0]["data"]}
    shown = [drawn[name]["position"] for name, *_ in crowd if drawn[name]["show"]]
    assert len(crowd) > len(shown) == len(set(shown)) > 1
    assert all(drawn[name]["show"] for name, *_ in apart)


def test_what_holds_no_results_is_refused(tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"runs": 3}')
    assert find([tmp_path]) == [file]
    with pytest.raises(InvalidFile, match="holds no tables"):
        read(file)
