"""What a person says of a reply becomes exactly what is known of them, and nothing more."""

from __future__ import annotations

import json
import math
import threading

import pytest

from ipse import Ipse
from ipse.errors import InvalidFeedback, InvalidRecord, UnknownReply, UnknownUser
from ipse.methods import parse
from ipse.methods.passage import with_records
from ipse.plan import Plan
from ipse.preferences import disputed, pairs, rated
from ipse.store import Store
from ipse.text import show
from tests.people import echo, person


@pytest.fixture
def me(tmp_path):
    with Ipse(tmp_path / "ipse.db", backend=echo(), methods="bm25") as engine:
        engine.remember("ada", "I am allergic to nuts.")
        engine.remember("bob", "I love nuts.")
        yield engine


def asked(me, question="Nuts?", user="ada", methods="generic", system=""):
    """Ask; the echo says what it was sent, so another system prompt gives another answer."""
    me.system = system
    return me.ask(user, question, methods=methods)


def feedback(me, user="ada"):
    return [record for record in me.store.user(user).records if record.source == "feedback"]


def test_an_answer_has_an_id_and_the_reply_is_kept(me):
    answer = me.ask("ada", "Nuts?")
    kept = me.store.reply(answer.id, "ada")
    assert (kept.question, kept.text, kept.methods) == ("Nuts?", answer.text, "bm25")
    assert (kept.evidence, kept.states) == (answer.plan.evidence, answer.plan.states)
    assert kept.evidence


@pytest.mark.parametrize("user", [None, "nobody"])
def test_a_reply_to_nobody_is_not_kept(me, user):
    assert me.ask(user, "Nuts?").id == ""


def test_a_deployment_may_keep_none_or_the_latest_few(me, tmp_path):
    for most, left in ((0, 0), (2, 2)):
        with Ipse(tmp_path / f"{most}.db", echo(), "bm25", keep_replies=most) as few:
            few.remember("ada", "I am allergic to nuts.")
            ids = [few.ask("ada", f"Nuts, {n}?").id for n in range(4)]
            assert [reply.id for reply in few.store.replies("ada")] == ids[4 - left :][::-1]
            assert all(ids) == bool(most)


def test_a_stream_is_kept_once_it_was_read_to_its_end(me):
    pieces = me.stream("ada", "Nuts?")
    with pytest.raises(UnknownReply):
        me.store.reply(pieces.id, "ada")
    text = "".join(pieces)
    assert me.store.reply(pieces.id, "ada").text == text
    broken = me.stream("ada", "Nuts?")
    next(broken)
    broken.close()
    with pytest.raises(UnknownReply):
        me.store.reply(broken.id, "ada")


def test_a_model_that_fails_leaves_no_reply(me, monkeypatch):
    monkeypatch.setattr(me.lm, "generate", lambda plans: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        me.ask("ada", "Nuts?")
    assert me.store.replies("ada") == []


def test_what_is_forgotten_while_the_model_writes_takes_the_reply_along(me, monkeypatch):
    me.remember("ada", "I like tea.")
    generate = me.lm.generate

    def slowly(plans):
        me.forget("ada", plans[0].evidence[0])
        return generate(plans)

    monkeypatch.setattr(me.lm, "generate", slowly)
    answer = me.ask("ada", "Nuts?", methods="recent:k=1")
    assert (answer.id, me.store.replies("ada")) == ("", [])


@pytest.mark.parametrize(("told", "output"), [
    ({"thumb": "up"}, "up"), ({"thumb": "down"}, "down"),
    ({"rating": 4}, "4"), ({"rating": 1}, "1"), ({"rating": 4.5}, "4.5"),
])  # fmt: skip
def test_thumbs_and_ratings_are_in_the_form_that_preferences_reads(me, told, output):
    answer = asked(me)
    (record,) = me.feedback("ada", answer.id, **told).records
    assert (record.kind, record.input, record.output) == ("interaction", "Nuts?", output)
    assert (record.source, record.meta["reply_id"]) == ("feedback", answer.id)
    number = {"up": 1.0, "down": 0.0}[output] if "thumb" in told else float(output)
    assert rated(record) == (answer.text, number)
    assert feedback(me) == [record]


def test_a_thumb_up_and_a_thumb_down_are_a_preference(me):
    first, second = asked(me), asked(me, system="Be brief.")
    me.feedback("ada", first.id, thumb="down")
    assert pairs(me.store.user("ada")) == []
    me.feedback("ada", second.id, thumb="up")
    (pair,) = pairs(me.store.user("ada"))
    assert (pair.chosen, pair.rejected, pair.how) == (second.text, first.text, "thumb")


def test_an_edit_is_preferred_to_its_draft(me):
    answer = asked(me)
    me.feedback("ada", answer.id, edit="No nuts for me.")
    (pair,) = pairs(me.store.user("ada"))
    assert (pair.prompt, pair.chosen) == ("Nuts?", "No nuts for me.")
    assert (pair.rejected, pair.how) == (answer.text, "edit")


@pytest.mark.parametrize("way", ["better_than", "regenerated"])
def test_a_choice_between_replies_and_one_that_was_written_anew(me, way):
    first, second = asked(me), asked(me, system="Be brief.")
    me.feedback("ada", second.id, **{way: first.id})
    (pair,) = pairs(me.store.user("ada"))
    assert (pair.chosen, pair.rejected) == (second.text, first.text)
    assert pair.how == {"better_than": "choice", "regenerated": "regeneration"}[way]


def test_a_choice_over_a_text(me):
    answer = asked(me)
    me.feedback("ada", answer.id, better_than="Whatever.")
    assert pairs(me.store.user("ada"))[0].rejected == "Whatever."


def test_a_reply_that_is_written_anew_says_nothing_by_itself(me):
    asked(me)
    asked(me, system="Be brief.")
    assert feedback(me) == []
    assert pairs(me.store.user("ada"), ties=True) == []


@pytest.mark.parametrize(
    "told",
    [{"thumb": "up"}, {"rating": 3}, {"edit": "No."}, {"better_than": "Yes."}, {"thumb": "up",
     "rating": 5, "edit": "No."}],
    ids=str,
)  # fmt: skip
def test_the_same_feedback_twice_is_one_record(me, told):
    answer = asked(me)
    first = me.feedback("ada", answer.id, **told)
    again = me.feedback("ada", answer.id, **told)
    assert (first.new, again.new) == (len(told), 0)
    assert again.records == first.records
    assert len(feedback(me)) == len(told)


def test_feedback_that_two_say_at_the_same_moment_is_one_record(me, tmp_path):
    answer, taken = asked(me), []
    with Ipse(tmp_path / "ipse.db", backend=echo(), methods="bm25") as elsewhere:
        ready = threading.Barrier(2)

        def say(engine):
            ready.wait()
            taken.append(engine.feedback("ada", answer.id, thumb="up"))

        threads = [threading.Thread(target=say, args=(each,)) for each in (me, elsewhere)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert taken[0].records == taken[1].records
    assert len(feedback(me)) == 1


def test_who_changes_their_mind_is_heard_and_the_latest_counts(me):
    answer, other = asked(me), asked(me, system="Be brief.")
    for thumb in ("up", "down", "up"):
        me.feedback("ada", answer.id, thumb=thumb)
    assert [record.output for record in feedback(me)] == ["up", "down", "up"]
    for first, second in ((answer, other), (other, answer), (answer, other)):
        me.feedback("ada", first.id, better_than=second.id)
    view = me.store.user("ada")
    assert pairs(view)[-1].chosen == answer.text
    assert len(disputed(view)) == 2


def test_what_says_nothing_is_refused_and_nothing_is_stored(me):
    answer, other = asked(me), asked(me, "Tea?")
    twin = asked(me)
    wrong = [
        ({}, "nothing was said"),
        ({"thumb": "sideways"}, "'up' or 'down'; got 'sideways'"),
        ({"rating": 0}, "from 1 to 5; got 0"),
        ({"rating": 6}, "from 1 to 5; got 6"),
        ({"rating": math.nan}, "got nan"),
        ({"rating": math.inf}, "got inf"),
        ({"rating": True}, "got True"),
        ({"rating": "5"}, "got '5'"),
        ({"edit": answer.text}, "the edit is the draft"),
        ({"edit": f" {answer.text}\n"}, "the edit is the draft"),
        ({"better_than": answer.text}, "both texts are the same"),
        ({"better_than": answer.id}, "both texts are the same"),
        ({"better_than": other.id}, "answer different questions"),
        ({"regenerated": twin.id}, "both texts are the same"),
        ({"thumb": "up", "rating": 9}, "got 9"),
    ]
    for told, said in wrong:
        with pytest.raises(InvalidFeedback, match=said):
            me.feedback("ada", answer.id, **told)
    for text in ("x" * 1_000_001, " ", "half \ud800"):
        for way in ("edit", "better_than"):
            if (text, way) != (" ", "better_than"):
                with pytest.raises(InvalidRecord):
                    me.feedback("ada", answer.id, **{way: text}, thumb="up")
    assert feedback(me) == []


def test_a_million_characters_are_taken_and_one_more_is_not(me):
    answer = asked(me)
    with pytest.raises(InvalidRecord, match="at most 1,000,000 characters; got 1,000,001"):
        me.feedback("ada", answer.id, edit="x" * 1_000_001)
    me.feedback("ada", answer.id, edit="x" * 1_000_000)
    assert len(feedback(me)) == 1


def test_what_is_not_there_is_said_and_nothing_is_stored(me):
    answer, bobs = asked(me), asked(me, user="bob")
    with pytest.raises(UnknownUser):
        me.feedback("eve", answer.id, thumb="up")
    for reply in ("nothing", bobs.id):
        with pytest.raises(UnknownReply, match="ipse replies ada"):
            me.feedback("ada", reply, thumb="up")
    for way in ("better_than", "regenerated"):
        with pytest.raises(UnknownReply):
            me.feedback("ada", answer.id, **{way: bobs.id})
    assert feedback(me) + feedback(me, "bob") == []


def test_methods_that_learn_online_have_learned_of_it(me):
    answer = asked(me)
    taken = me.feedback("ada", answer.id, edit="No nuts for me.")
    (state,) = taken.states
    assert taken.records[0].id in state.state.lineage
    assert me.store.state_id(state.key) == state.id
    assert me.plan("ada", "Any nuts for me?").states == (state.id,)


def test_methods_that_train_do_not_learn_on_the_way(tmp_path):
    with Ipse(tmp_path / "ipse.db", echo(), "recent+steer:layer=1") as me:
        me.remember("ada", "I am allergic to nuts.")
        assert me.feedback("ada", asked(me).id, thumb="up").states == ()


def test_feedback_goes_with_what_its_reply_had_read(me):
    me.remember("ada", "I like tea.")
    nuts = me.store.user("ada").records[0]
    answer = me.ask("ada", "Nuts?", methods="bm25:k=1")
    assert answer.plan.evidence == (nuts.id,)
    apart = asked(me, "Tea?")
    taken = me.feedback("ada", answer.id, thumb="up", edit="No.", better_than="allergic, too")
    kept = me.feedback("ada", apart.id, thumb="up").records
    receipt = me.forget("ada", nuts.id)
    assert set(receipt.records) == {nuts.id, *(record.id for record in taken.records)}
    assert tuple(feedback(me)) == kept
    assert "allergic" not in json.dumps([r.to_json() for r in me.store.user("ada").records])


def test_feedback_on_a_later_reply_goes_with_what_the_first_had_read(me):
    me.remember("ada", "I like tea.")
    nuts = me.store.user("ada").records[0]
    first = me.ask("ada", "Nuts?", methods="bm25:k=1")
    second = me.ask("ada", "Really?", methods="generic", after=[first.id])
    (record,) = me.feedback("ada", second.id, thumb="up").records
    assert record.meta["evidence"] == [nuts.id]
    me.forget("ada", nuts.id)
    assert feedback(me) == []


def test_forgetting_feedback_leaves_the_reply_that_it_is_about(me):
    answer = asked(me)
    (record,) = me.feedback("ada", answer.id, thumb="up").records
    me.forget("ada", record.id)
    assert me.store.reply(answer.id, "ada").text == answer.text


def test_feedback_survives_a_store_that_is_opened_again(me, tmp_path):
    answer = asked(me)
    taken = me.feedback("ada", answer.id, rating=2)
    with Store.open(tmp_path / "ipse.db") as again:
        assert again.user("ada").records[-1] == taken.records[0]


def test_what_is_said_of_a_reply_is_never_shown_as_an_answer_of_the_persons(me):
    answer = asked(me)
    (record,) = me.feedback("ada", answer.id, thumb="up").records
    assert show(record) == f'of the answer "{answer.text}" to "Nuts?" said: up'
    plan = with_records(Plan.ask("Tea?"), [record], form="turns", given=9, limit=9)
    assert [message.role for message in plan.main.messages] == ["system", "user"]
    assert plan.evidence == (record.id,)


def test_ratings_of_replies_are_no_habit_of_rating_things(me):
    me.add(person().records)
    before = me.profile("ada", "facets")
    me.feedback("ada", asked(me).id, rating=1)
    assert me.profile("ada", "facets") == before


def test_every_composition_says_what_made_a_reply(me):
    written = "bm25:k=2+facets"
    answer = me.ask("ada", "Nuts?", methods=written)
    assert parse(me.store.reply(answer.id, "ada").methods) == parse(written)
