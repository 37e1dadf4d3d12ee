from __future__ import annotations

import threading

import pytest

from ipse import Ipse, Sampling
from ipse.engine import Answer
from ipse.errors import Conflict, UnknownRecord, UnknownUser
from ipse.plan import Message
from ipse.store import Store
from tests.people import echo, person, reason


@pytest.fixture
def me(tmp_path):
    with Ipse(tmp_path / "ipse.db", backend=echo(), methods="bm25") as engine:
        yield engine


def test_what_is_remembered_is_read_at_the_next_question(me):
    me.remember("ada", "I am allergic to nuts.")
    answer = me.ask("ada", "May I eat nuts?")
    assert "allergic to nuts" in str(answer)
    assert [record.output for record in answer.evidence] == ["I am allergic to nuts."]
    me.remember("ada", "Pistachio nuts are fine, though.")
    assert len(me.ask("ada", "May I eat nuts?").evidence) == 2


@pytest.mark.parametrize("user", [None, "", "nobody"])
def test_nobody_gets_the_generic_model(me, user):
    me.remember("ada", "I am allergic to nuts.")
    answer = me.ask(user, "May I eat nuts?")
    assert answer.plan == me.plan(None, "May I eat nuts?")
    assert answer.evidence == ()


def test_a_person_never_reads_another(me):
    me.remember("ada", "I am allergic to nuts.")
    me.remember("bob", "I love nuts.")
    assert "allergic" not in me.ask("bob", "May I eat nuts?").text


def test_the_pieces_of_a_stream_are_the_answer(me):
    me.remember("ada", "I am allergic to nuts.")
    assert "".join(me.stream("ada", "Nuts?")) == me.ask("ada", "Nuts?").text


def test_system_prompt_history_and_sampling_are_in_the_plan(tmp_path):
    with Ipse(tmp_path / "ipse.db", backend=echo(), methods="bm25", system="Be brief.") as me:
        history = (Message("user", "Hi"), Message("assistant", "Hello"))
        plan = me.plan(None, "Nuts?", history=history, sampling=Sampling(max_tokens=3))
    assert [m.content for m in plan.main.messages] == ["Be brief.", "Hi", "Hello", "Nuts?"]
    assert plan.sampling.max_tokens == 3


def test_strength_is_a_dial(me):
    me.remember("ada", "I am allergic to nuts.")
    assert me.plan("ada", "Nuts?", strength=0.0).main == me.plan(None, "Nuts?").main
    assert me.plan("ada", "Nuts?", strength=0.5).fusion.weights == (0.5, 0.5)
    assert me.plan("ada", "Nuts?", strength=1.0).fusion is None


def test_a_profile_in_words(me):
    me.add(person().records)
    assert "- home: Paris" in me.profile("ada", "facets+profile")
    assert me.profile("nobody") == ""


def test_forgetting_a_record_changes_the_next_answer(me):
    record = me.remember("ada", "I am allergic to nuts.")
    me.remember("ada", "I like nuts in cake.")
    assert "allergic" in me.ask("ada", "Nuts?").text
    receipt = me.forget("ada", record.id)
    assert record.id in receipt.records
    assert "allergic" not in me.ask("ada", "Nuts?").text
    with pytest.raises(UnknownRecord):
        me.forget("bob", record.id)


def test_forgetting_a_person(me):
    me.remember("ada", "I am allergic to nuts.")
    me.ask("ada", "Nuts?")
    me.forget("ada")
    assert me.ask("ada", "Nuts?").plan == me.plan(None, "Nuts?")
    assert me.store.states() == []
    with pytest.raises(UnknownUser):
        me.forget("ada")


def test_another_process_forgets_and_this_one_notices(me, tmp_path):
    record = me.remember("ada", "I am allergic to nuts.")
    me.remember("ada", "I like nuts in cake.")
    assert "allergic" in me.ask("ada", "Nuts?").text
    with Store.open(tmp_path / "ipse.db") as elsewhere:
        elsewhere.forget_record(record.id, "ada")
    assert "allergic" not in me.ask("ada", "Nuts?").text


def test_forgetting_one_person_reaches_what_another_learned_through_everyone(me, tmp_path):
    told = "frankly the point is good"
    for name in ("bob", "eve", "joe", "ada"):
        me.add(reason(name, 5 * n + 1, output=told) for n in range(9))
    me.fit("facets")
    before = me.plan("ada", "Why?", methods="facets")
    with Store.open(tmp_path / "ipse.db") as elsewhere:
        receipt = elsewhere.forget_user("bob")
    assert {key.user for key in (state.key for state in receipt.states)} == {None, "ada"}
    after = me.plan("ada", "Why?", methods="facets")
    assert after.states != before.states
    assert not {s.id for s in me.store.states()} & set(before.states)


def test_a_record_forgotten_while_it_is_learned_from_is_not_learned(me, monkeypatch):
    record = me.remember("ada", "I am allergic to nuts.")
    me.remember("ada", "I like nuts in cake.")
    keep, raced = me.store.keep, []

    def race(saved, *others):
        if not raced:
            raced.append(me.store.forget_record(record.id, "ada"))
        return keep(saved, *others)

    monkeypatch.setattr(me.store, "keep", race)
    assert "allergic" not in me.ask("ada", "Nuts?").text
    assert raced


def test_what_everyone_taught_later_reaches_a_person_at_the_next_question(me):
    for name in ("bob", "eve", "joe", "ada"):
        me.add(reason(name, 5 * n + 1, output="frankly the point is good") for n in range(9))
    before = me.plan("ada", "Why?", methods="facets")
    me.fit("facets")
    after = me.plan("ada", "Why?", methods="facets")
    assert before.states != after.states
    assert me.plan("ada", "Why?", methods="facets") == after


def test_the_profile_is_the_persons_alone(tmp_path):
    with Ipse(tmp_path / "ipse.db", backend=echo(), system="Be brief.") as me:
        me.add(person().records)
        assert "Be brief." not in me.profile("ada")


def test_records_that_keep_changing_are_a_conflict_and_not_a_wrong_answer(me, monkeypatch):
    me.remember("ada", "I am allergic to nuts.")
    numbers = iter(range(100, 200))
    monkeypatch.setattr(me.store, "revision", lambda user: next(numbers))
    with pytest.raises(Conflict, match="the records of 'ada' keep changing"):
        me.ask("ada", "Nuts?")


def test_an_answer_outlives_its_evidence(me, monkeypatch):
    record = me.remember("ada", "I am allergic to nuts.")
    me.remember("ada", "I like nuts in cake.")
    generate = me.lm.generate

    def slowly(plans):
        me.forget("ada", record.id)
        return generate(plans)

    monkeypatch.setattr(me.lm, "generate", slowly)
    answer = me.ask("ada", "Nuts?")
    assert record.id in answer.plan.evidence
    assert [kept.output for kept in answer.evidence] == ["I like nuts in cake."]


def test_a_method_without_embeddings_never_looks_for_the_embedder(tmp_path):
    class NoModels:
        @property
        def base(self):
            raise AssertionError("nobody needs the model's name")

        embedder = base

        def attach(self, loader):
            """Nothing is loaded."""

        def forget(self):
            """Nothing is kept."""

    with Ipse(tmp_path / "ipse.db", backend=NoModels(), methods="bm25+recent") as me:
        me.remember("ada", "I am allergic to nuts.")
        assert me.plan("ada", "Nuts?").evidence


def test_enrolling_and_fitting_say_what_is_kept(me):
    me.add(person().records)
    assert [saved.key.method for saved in me.enroll("ada", "bm25+recent+facets")] == [
        "bm25",
        "facets",
    ]
    assert me.fit("bm25") == []
    with pytest.raises(UnknownUser):
        me.enroll("nobody")


def test_learning_needs_no_second_run_when_nothing_changed(me, monkeypatch):
    me.add(person().records)
    first = me.plan("ada", "plastic bottles")
    monkeypatch.setattr(me.store, "keep", None)
    monkeypatch.setattr(me.store, "user", None)
    assert me.plan("ada", "plastic bottles") == first


@pytest.mark.parametrize("verb", ["ask", "stream"])
def test_what_was_forgotten_while_a_plan_was_made_is_let_go_once_all_is_written(
    me, monkeypatch, verb
):
    me.add(person().records)
    plan, let_go = me.plan, []
    gone = me.store.user("ada").records[0].id

    def planned(*args, **options):
        made = plan(*args, **options)
        me.forget("ada", gone)
        return made

    monkeypatch.setattr(me, "plan", planned)
    monkeypatch.setattr(me.lm, "forget", lambda: let_go.append(verb))
    answered = getattr(me, verb)("ada", "plastic bottles")
    assert str(answered) if verb == "ask" else list(answered)
    assert len(let_go) == 2  # at once, and again when it is written


def test_many_threads_get_what_one_gets(me):
    for name in ("ada", "bob", "eve"):
        me.add(person(name).records)
    expected = {name: me.ask(name, "plastic bottles").text for name in ("ada", "bob", "eve")}
    wrong: list[Answer] = []

    def work(name):
        for _ in range(20):
            answer = me.ask(name, "plastic bottles")
            if answer.text != expected[name]:
                wrong.append(answer)

    threads = [threading.Thread(target=work, args=(name,)) for name in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_same_id_with_other_content_is_a_conflict(me):
    record = me.remember("ada", "tea")
    with pytest.raises(Conflict):
        me.remember("ada", "coffee", id=record.id)
    assert me.store.record(record.id).output == "tea"
