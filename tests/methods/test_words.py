"""Methods that learn in words: `cipher`, which reads edits, and `fermi`, which tries prompts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ipse.lm import Embed, Reply, Score, Write
from ipse.methods import finish, parse
from ipse.methods.phrases import joined, parts, told, voted
from ipse.plan import Plan
from ipse.records import Record, User
from ipse.state import State
from tests.people import START, echo

LONG = (
    "I think school uniforms may perhaps help most pupils. They could possibly make mornings "
    "easier for families. Some would say that they seem to cost rather a lot of money."
)
SHORT = "Uniforms help pupils."
LEXICAL = parse("cipher:words=lexical")[0]
MODEL = parse("cipher")[0]


def edit(n, prompt, chosen=SHORT, rejected=LONG, **fields):
    fields = {"meta": {"how": "edit"}, "time": START + timedelta(hours=n), "user": "ada"} | fields
    return Record(kind="preference", input=prompt, output=chosen, rejected=rejected, **fields)


def says(n, given, output):
    time = START + timedelta(hours=n)
    return Record(user="ada", kind="profile", input=given, output=output, time=time)


def user(*records):
    return User("ada", tuple(sorted(records, key=lambda r: (r.time, r.id))))


def passage(method, person, question, state=None):
    state = state or finish(method.enroll(person, None), echo())
    plan = finish(method.apply(Plan.ask(question), person, state), echo())
    told = plan.main.messages[0].content
    return told if len(plan.main.messages) > 1 else told.removeprefix(question)


class Counting:
    """An echo that counts what it is asked to write, and answers with a number."""

    def __init__(self):
        self.asked = []
        self.embed = echo().embed

    def generate(self, plans, progress=None):
        self.asked += [plan.main.question for plan in plans]
        return [Reply(f"wish {len(self.asked)}") for _ in plans]


@pytest.mark.parametrize(
    ("draft", "edited", "phrase"),
    [
        (LONG, SHORT, "answer in one short sentence"),
        (LONG, SHORT, "be direct, without perhaps or maybe"),
        (SHORT, LONG, "answer in two short sentences"),
        ("One. Two. Three.", "- One.\n- Two.\n- Three.", "use bullet points"),
        ("- One.\n- Two.\n- Three.", "One. Two. Three.", "do not use bullet points"),
        ("People need sleep.", "You need your sleep.", "speak to the reader as you"),
        (SHORT, "Wow! Uniforms help pupils!!", "use exclamation marks"),
    ],
)
def test_counting_says_what_an_edit_changed(draft, edited, phrase):
    assert phrase in parts(told("Uniforms?", draft, edited))


def test_an_edit_that_changes_nothing_that_is_counted_says_nothing():
    assert told("Uniforms?", LONG, LONG.replace("help", "aid")) == ""


def test_a_form_that_was_left_as_it_was_is_preferred_too():
    assert told("Why?", "- One.\n- Two.", "- One.\n- 2.").startswith("use bullet points")
    assert "one short sentence" in told("Why?", SHORT, "Uniforms aid pupils.")


def test_an_edit_and_its_reverse_never_say_the_same():
    there, back = told("", LONG, SHORT), told("", SHORT, LONG)
    assert parts(there)
    assert not {*parts(there)} & {*parts(back)}


def test_what_half_of_the_weight_is_behind_is_kept():
    assert voted(["a; b", "a; c", "a; b"], [1, 1, 1]) == "a; b"
    assert voted(["a", "b", "c"], [1, 3, 1]) == "b"
    assert voted(["a", "b", "c"], [1, 1, 1]) == "a"
    assert voted(["", ""], [1, 1]) == ""
    assert voted(["a; b"], [0.3]) == joined(["a", "b"])


def test_phrases_of_the_nearest_contexts_are_read():
    person = user(
        edit(0, "Sum up this film review.", "- Good.\n- Long.", "It was good. It was long."),
        edit(1, "Write a letter to my landlord."),
    )
    one = replace(LEXICAL, k=1)
    assert "bullet points" in passage(one, person, "Sum up another film review.")
    assert "bullet" not in passage(one, person, "Write a letter to the landlord of the house.")
    assert "Be direct" in passage(one, person, "Write a letter to the landlord of the house.")


def test_no_question_at_all_shows_all_phrases():
    person = user(
        edit(0, "Film?", "- Good.\n- Long.", "It was good. It was long."), edit(1, "Letter?")
    )
    shown = passage(LEXICAL, person, "")
    assert "bullet" in shown
    assert "be direct" in shown


def test_only_edits_are_read_as_edits():
    person = user(edit(0, "Letter?", meta={"how": "choice"}))
    assert finish(LEXICAL.enroll(person, None), echo()) is None


def test_a_corrected_phrase_wins():
    before = user(edit(0, "Letter?"), edit(1, "Mail?"))
    assert "Answer in one short sentence." in passage(LEXICAL, before, "Letter?")
    after = user(*before.records, says(5, "Answer in one short sentence", "fill a page"))
    shown = passage(LEXICAL, after, "Letter?")
    assert shown.count("Fill a page.") == 1
    assert "short" not in shown


def test_a_whole_phrase_of_the_model_can_be_corrected():
    before, lm = user(edit(0, "Letter?")), Counting()
    state = finish(MODEL.enroll(before, None), lm)
    assert state.facts["phrases"] == ["wish 1"]
    after = user(*before.records, says(5, "wish 1", "no wish"))
    state = finish(MODEL.update(after, state, None), lm)
    shown = passage(MODEL, after, "Letter?", state)
    assert "No wish." in shown
    assert "ish 1" not in shown
    assert set(state.lineage) == {record.id for record in after.records}


def test_what_is_said_outright_is_read_first_and_needs_no_edit():
    assert passage(LEXICAL, user(says(0, "preference", "rhyme")), "Letter?") == "\n\nRhyme."
    both = user(edit(0, "Letter?"), says(1, "Preference", "rhyme"))
    assert passage(LEXICAL, both, "Letter?").startswith("\n\nRhyme. ")


def test_phrases_are_read_with_the_question_or_before_it():
    person, plan = user(edit(0, "Letter?")), Plan.ask("Mail?")
    state = finish(LEXICAL.enroll(person, None), echo())
    (told_with,) = finish(LEXICAL.apply(plan, person, state), echo()).main.messages
    assert told_with.content.startswith("Mail?\n\n")
    before = finish(replace(LEXICAL, place="system").apply(plan, person, state), echo()).main
    assert before.question == "Mail?"
    assert before.messages[0].content.startswith("Write as this person prefers:\n- ")


def test_what_else_is_known_of_a_person_is_no_preference():
    assert finish(LEXICAL.enroll(user(says(0, "home", "Paris")), None), echo()) is None


def test_one_more_edit_asks_the_model_once():
    records = [edit(n, f"Letter {n}?", f"Short {n}.") for n in range(4)]
    lm = Counting()
    state = finish(MODEL.enroll(user(*records[:3]), None), lm)
    assert len(lm.asked) == 3
    grown = finish(MODEL.update(user(*records), state, None), lm)
    assert len(lm.asked) == 4
    assert "Short 3." in lm.asked[-1]
    assert grown.facts["phrases"][:3] == state.facts["phrases"]
    assert grown.arrays["vectors"].shape[0] == 4
    assert finish(MODEL.update(user(*records), grown, None), lm).facts == grown.facts
    assert len(lm.asked) == 4


def test_counting_asks_no_model_to_write():
    steps = LEXICAL.enroll(user(edit(0, "Letter?")), None)
    assert isinstance(next(steps), Embed)


def test_where_there_are_no_edits_own_answers_stand_in_for_them():
    answers = [
        Record(user="ada", kind="content", input=f"Why {n}?", output=SHORT,
               time=START + timedelta(hours=n))
        for n in range(3)
    ]  # fmt: skip
    steps = parse("cipher:own=2,words=lexical")[0].enroll(user(*answers), None)
    drafts = next(steps)
    assert isinstance(drafts, Write)
    assert [plan.main.question for plan in drafts.plans] == ["Why 1?", "Why 2?"]
    steps.send([Reply(LONG), Reply(LONG)])
    assert finish(MODEL.enroll(user(*answers), None), echo()) is None


def test_what_is_made_of_records_is_read_so_it_takes_what_may_be_read():
    assert LEXICAL.use == parse("fermi")[0].use == "prompt"  # though they are no input methods


OWN = [
    Record(user="ada", kind="content", input=f"Why {n}?", output="Because I say so.",
           time=START + timedelta(hours=n))
    for n in range(6)
]  # fmt: skip


class Liking:
    """Finds texts likelier under prompts that hold a word, and writes the same prompt each time."""

    def __init__(self, word, proposal="be a parrot"):
        self.word, self.proposal, self.embed = word, proposal, echo().embed
        self.asked = []

    def score(self, plans, targets, progress=None):
        del progress
        return [
            Score((-1.0,) if self.word in plan.main.messages[0].content else (-2.0,))
            for plan, _ in zip(plans, targets, strict=True)
        ]

    def generate(self, plans, progress=None):
        self.asked += [plan.main.question for plan in plans]
        return [Reply(self.proposal) for _ in plans]


def prompts(method, person, lm):
    state = finish(method.enroll(person, None), lm)
    return [one["prompt"] for one in state.facts["prompts"]]


def test_the_prompt_that_makes_own_answers_likeliest_is_read():
    method, lm = parse("fermi:proposals=list")[0], Liking("ironic")
    best = prompts(method, user(*OWN), lm)
    assert "ironic" in best[0]
    assert not lm.asked
    state = finish(method.enroll(user(*OWN), None), lm)
    assert "ironic" in passage(method, user(*OWN), "Why 9?", state)


def test_a_list_is_tried_one_by_one_then_in_company():
    method = parse("fermi:proposals=list,rounds=1,pool=40")[0]
    tried = prompts(method, user(*OWN), Liking("ironic"))
    assert any(text != "Be ironic." and text.startswith("Be ironic.") for text in tried)


def test_the_model_is_told_what_goes_wrong_and_proposes():
    method, lm = parse("fermi:rounds=1")[0], Liking("parrot")
    assert prompts(method, user(*OWN), lm) == ["be a parrot"]
    assert "One person answers: Because I say so." in lm.asked[-1]
    assert "But the model answered: be a parrot" in lm.asked[-1]


def test_a_prompt_that_does_no_better_than_none_is_not_used():
    method = parse("fermi:rounds=1")[0]
    person, lm = user(*OWN), Liking("nothing has this")
    state = finish(method.enroll(person, None), lm)
    assert state.facts["prompts"] == []
    plan = Plan.ask("Why 9?")
    assert finish(method.apply(plan, person, state), echo()) is plan
    assert prompts(replace(method, gate=False), person, lm)


def test_each_question_gets_the_prompt_that_does_best_on_what_is_like_it():
    method = parse("fermi:near=1")[0]
    vectors = echo().embed(["tea with milk", "the tax on cars"])
    state = State(
        {"prompts": [{"prompt": "on tea"}, {"prompt": "on tax"}], "records": 2},
        {"vectors": vectors, "scores": np.array([[-1.0, -3.0], [-2.0, -2.0]])},
    )
    assert passage(method, user(), "tea with milk", state) == "on tea"
    assert passage(method, user(), "the tax on cars", state) == "on tax"


def test_choices_score_by_how_many_are_made_likelier():
    method = parse("fermi:by=choice,proposals=list,rounds=0,gate=false,pool=30")[0]
    records = [edit(n, f"Letter {n}?", meta={"how": "choice"}) for n in range(4)]

    class Shorter(Liking):
        def score(self, plans, targets, progress=None):
            ironic = ["ironic" in plan.main.messages[0].content for plan in plans]
            return [
                Score((-1.0,) if (target == SHORT) == likes else (-2.0,))
                for target, likes in zip(targets, ironic, strict=True)
            ]

    state = finish(method.enroll(user(*records), None), Shorter(""))
    scores = {one["prompt"]: one["score"] for one in state.facts["prompts"]}
    assert scores["Be ironic."] == 1
    assert {score for prompt, score in scores.items() if "ironic" not in prompt} == {0}
    assert state.lineage == tuple(record.id for record in records)


def test_prompts_are_kept_until_enough_has_changed():
    method = parse("fermi:proposals=list,refresh=3")[0]
    person, lm = user(*OWN[:4]), Liking("ironic")
    state = finish(method.enroll(person, None), lm)
    assert method.update(user(*OWN), state, None) is state
    assert method.update(user(*OWN, says(9, "home", "Paris")), state, None) is not state
