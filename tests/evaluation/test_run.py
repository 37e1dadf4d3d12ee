"""The evaluation on a random tiny model: what it measures is nonsense, how it measures is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ipse.errors import UsageError
from ipse.evaluation.plots import gain_by_history, gains
from ipse.evaluation.report import Example, write_report
from ipse.evaluation.run import run
from ipse.evaluation.summary import best, rows, verdict
from ipse.evaluation.task import split
from ipse.evaluation.tasks import UkpconvargReason
from ipse.importers import read, ukpconvarg
from ipse.lifecycle import Lifecycle
from ipse.methods import parse
from ipse.records import Record
from ipse.store import Store

TOPICS = ("tea_yes", "tea_no", "cake_yes")
USERS = ("ada", "bob", "eve", "joe", "kim")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small judgement file: five people, ten judgements each; ada and bob on the same topics."""
    path = tmp_path_factory.mktemp("ukp")
    arguments = [
        {"arg_id": f"{topic}{n}", "topic": topic, "author": "x", "stance": "s",
         "text": f"{topic} argument {n} " + "word " * 40}
        for topic in TOPICS for n in range(2)
    ]  # fmt: skip
    judgements = [
        {"user_id": user, "pair_id": f"{topic}0_{topic}1", "topic": topic, "arg1": f"{topic}0",
         "arg2": f"{topic}1", "choice": ("a1", "a2", "equal")[n % 3],
         "reason": f"{user} says so, time {n}", "worker_stance": None}
        for user in USERS for n in range(10)
        for topic in [TOPICS[2 if user in ("eve", "joe", "kim") else n % 2]]
    ]  # fmt: skip
    for name, lines in (("arguments", arguments), ("annotations", judgements)):
        (path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.fixture(scope="module")
def task(folder, tmp_path_factory):
    with Store.open(tmp_path_factory.mktemp("store") / "ipse.db") as store:
        store.add(item for item in read("ukpconvarg", folder) if isinstance(item, Record))
        yield UkpconvargReason(store, ukpconvarg.arguments(folder), items=2, words=5, fit=2)


@pytest.fixture(scope="module")
def result(task, pico):
    compositions = [parse("recent:k=2"), parse("facets")]
    lifecycle = Lifecycle(task.store, pico)
    return run(task.people(3), task.population(), compositions, lifecycle, lambda *_: None)


def test_the_past_is_strictly_before_what_is_asked(task):
    for person in task.people(3):
        assert len(person.history) == 8
        assert len(person.items) == 2
        first = task.store.record(person.items[0].id)
        assert all(record.time < first.time for record in person.history.records)
        assert not {item.id for item in person.items} & {r.id for r in person.history.records}


def test_a_planted_answer_in_the_future_is_not_seen(task):
    for person in task.people(3):
        answers = {item.target for item in person.items}
        assert not answers & {record.output for record in person.history.records}


def test_one_person_alone_has_nobody_to_stand_in(task):
    with pytest.raises(UsageError, match="needs at least 2 people; got 1"):
        task.people(1)


def test_the_other_person_is_another_and_shares_the_topics(task):
    everyone = replace(task, fit=0).people(5)
    for person in everyone:
        assert person.other.id != person.history.id
    others = {person.history.id: person.other.id for person in everyone}
    assert (others["ada"], others["bob"]) == ("bob", "ada")


def test_nobody_is_both_learned_from_and_reported_on(task):
    reported = {person.history.id for person in task.people(9)}
    learned_from = {user.id for user in task.population()}
    assert len(reported) == 3
    assert len(learned_from) == 2
    assert not reported & learned_from


def test_the_split_does_not_depend_on_the_order_of_people():
    assert split(USERS, 2) == split(reversed(USERS), 2)


def test_a_question_has_its_arguments_cut(task):
    question = task.people(2)[0].items[0].question
    assert "argument 0 word word …" in question
    assert question.endswith("Say why, in one sentence.")


def test_every_answer_is_scored_under_every_method_and_control(result):
    assert result.methods == ("recent:k=2", "facets")
    assert [(cell.method, cell.whose) for cell in result.cells] == [
        ("generic", "own"),
        ("recent:k=2", "own"),
        ("recent:k=2", "other"),
        ("facets", "own"),
        ("facets", "other"),
    ]
    items = [[line.item for line in cell.scored] for cell in result.cells]
    assert all(found == items[0] for found in items)
    assert len(items[0]) == 6


def test_the_control_reads_the_other_persons_records(result, task):
    others = {person.history.id: person.other.id for person in task.people(3)}
    for whose in ("own", "other"):
        for line in result.cell("recent:k=2", whose).scored:
            owners = {task.store.record(name).user for name in line.evidence}
            assert owners == {line.user if whose == "own" else others[line.user]}


def test_nats_are_of_the_held_out_words_alone(result, pico, task):
    (line, *_) = result.cell("generic").scored
    person = task.people(3)[0]
    assert line.tokens == pico.cut(person.items[0].target).tokens


def test_the_table_pairs_the_same_people(result):
    generic, recent, _ = rows(result)
    own = result.cell("recent:k=2").per_person
    base = result.cell("generic").per_person
    assert recent.gain.mean == pytest.approx(sum(base[u] - own[u] for u in base) / 3)
    assert generic.gain is None
    assert recent.nbytes == 0


def test_a_method_helps_only_when_it_beats_both(result):
    table = rows(result)
    clear = replace(table[1].nats, mean=1.0, low=0.5, high=1.5)
    unclear = replace(clear, low=-0.5)
    good = replace(table[1], gain=clear, personal=clear)
    assert good.helps
    assert not replace(good, personal=unclear).helps
    assert not replace(good, gain=replace(clear, mean=-1.0, low=-1.5, high=-0.5)).helps
    assert best([table[0], good]) is good
    assert "Clearly better" in verdict([table[0], good])
    bad = replace(good, personal=unclear)
    assert verdict([table[0], bad]).startswith("No method clearly beats both")


def test_the_report_needs_nothing_else(result, tmp_path):
    example = Example("facets", "ada", "Why <b>?", "before", "after", "written", ("a → b",))
    path = tmp_path / "out" / "report.html"
    records = dict.fromkeys(result.cell("generic").per_person, 100)
    write_report(
        path, result, example, title="T", lead="L", footer="F", records=records, shared_topics=0.5
    )
    text = path.read_text()
    assert "Why &lt;b&gt;?" in text
    assert "50% of the topics" in text
    assert text.count("<svg") >= 1
    for outside in ("src=", 'href="http', "url(", "@import"):
        assert outside not in text.replace('xlink:href="#', "").replace("url(#", "")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_the_plots_are_the_same_again(result):
    records = dict.fromkeys(result.cell("generic").per_person, 100)
    table = rows(result)
    assert gains(result, table) == gains(result, table)
    assert gain_by_history(result, "facets", records) == gain_by_history(result, "facets", records)
