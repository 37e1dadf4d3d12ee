"""What single methods do beyond what all promise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ipse.errors import InvalidPlan, Unknown, UsageError
from ipse.lifecycle import Lifecycle
from ipse.lm import Embed
from ipse.methods import Learned, finish, finish_all, parse, personalize, spec
from ipse.methods.bm25 import Bm25
from ipse.methods.compose import in_order
from ipse.methods.facets import Facets
from ipse.methods.hybrid import Hybrid
from ipse.methods.lamp import Lamp
from ipse.methods.memory import Memory
from ipse.methods.profile import Profile
from ipse.methods.recent import Recent
from ipse.plan import Fusion, Plan
from ipse.records import Record, User
from ipse.store import Store
from tests.people import START, echo, person, reason


def record(n, **fields):
    return Record(user="ada", time=START + timedelta(hours=n), **({"kind": "content"} | fields))


def apply(method, user, question):
    state = finish(method.enroll(user, None), echo())
    return personalize(Plan.ask(question), user, [Learned(method, state)], echo())


# Compositions as they are written.


def test_a_composition_is_read_and_written():
    methods = parse("profile+bm25:k=3,diversity=0.5")
    assert [method.name for method in methods] == ["profile", "bm25"]
    assert methods[1] == Bm25(k=3, diversity=0.5)
    assert spec(methods) == "profile+bm25:k=3,diversity=0.5"
    assert parse("generic") == parse("") == ()
    assert spec(()) == "generic"


def test_a_setting_with_signs_in_it_is_written_and_read():
    methods = (Profile(question="How, exactly? a+b: 100%=all"), Recent(k=2))
    assert parse(spec(methods)) == methods


def test_a_wrong_setting_is_refused_in_python_too():
    with pytest.raises(UsageError, match="k of 'bm25' must be a number from 0 on; got -1"):
        Bm25(k=-1)


def test_a_preset_is_a_method_with_settings():
    assert parse("bm25-diverse") == (Bm25(diversity=0.3),)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("bm52", Unknown, "unknown method 'bm52'. Did you mean 'bm25'"),
        ("bm25:kk=3", Unknown, "unknown setting of 'bm25' 'kk'"),
        ("bm25:k", UsageError, "written k=VALUE; got 'k'"),
        ("bm25:k=three", UsageError, "k of 'bm25' must be of type int; got 'three'"),
        ("bm25:k=-1", UsageError, "k of 'bm25' must be a number from 0 on; got -1"),
        ("bm25:diversity=7", UsageError, "diversity of 'bm25' must be between 0 and 1; got 7.0"),
        ("bm25:half_life=nan", UsageError, "half_life of 'bm25' must be a number from 0 on"),
        ("bm25-diverse:k=3", UsageError, "'bm25-diverse' has its settings: bm25:diversity=0.3"),
        ("recent:form=poem", Unknown, "unknown form of 'recent' 'poem'. Known: list, turns"),
    ],
)
def test_a_wrong_composition_is_explained(text, error, said):
    with pytest.raises(error) as caught:
        parse(text)
    assert said in str(caught.value)


def test_a_second_claim_on_a_single_slot_is_refused():
    class Mixing(Recent):
        name = "mixing"

        def apply(self, plan, user, state):
            streams = (plan.main,)
            return replace(plan, others=streams, fusion=Fusion("linear", (self.k, 1.0)))

    learned = [Learned(Mixing(k=1)), Learned(Mixing(k=2))]
    with pytest.raises(InvalidPlan, match="'mixing' sets the fusion that an earlier method"):
        personalize(Plan.ask("q"), person(), learned, echo())


def test_levels_are_applied_in_order():
    class Later(Recent):
        level = "model"

    assert in_order([Later(), Bm25()]) == (Bm25(), Later())


# Steps.


def test_what_is_asked_together_is_answered_in_one_batch():
    def asks(*texts):
        vectors = yield Embed(texts)
        return len(vectors)

    class Counting:
        calls = 0

        def embed(self, texts):
            self.calls += 1
            return echo().embed(texts)

    lm = Counting()
    assert finish_all([asks("a"), 7, asks("b", "c")], lm) == [1, 7, 2]
    assert lm.calls == 1


# Showing records.


def test_answers_are_turns_and_the_rest_is_a_list():
    plan = apply(Recent(k=99), person(count=2), "Why?")
    roles = [message.role for message in plan.main.messages]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    assert "- home: Paris" in plan.main.messages[0].content
    listed = apply(Recent(k=99, form="list"), person(count=2), "Why?")
    assert [message.role for message in listed.main.messages] == ["system", "user"]


def test_no_record_is_shown_twice():
    user = person(count=5)
    learned = [Learned(Recent(k=2)), Learned(Recent(k=4))]
    plan = personalize(Plan.ask("Why?"), user, learned, echo())
    assert len(plan.evidence) == len(set(plan.evidence)) == 4


def test_the_best_record_stands_next_to_the_question():
    user = person(count=10)
    plan = apply(Bm25(k=3), user, "point 7")
    assert "point 7" in plan.main.messages[-2].content


def test_bm25_shows_nothing_that_shares_no_word():
    plan = Plan.ask("Quantum chromodynamics")
    assert apply(Bm25(), person(), plan.main.question) == plan


def test_recency_prefers_the_newer_of_equals():
    user = User("ada", tuple(record(n, input="tea?", output=f"cup {n % 2}") for n in range(4)))
    plan = apply(Bm25(k=2, half_life=1), user, "tea?")
    assert [user.record(name).time for name in plan.evidence] == [
        user.records[2].time,
        user.records[3].time,
    ]


# Profile.


def test_a_profile_keeps_what_was_said_outright_word_for_word():
    plan = apply(Profile(), person(), "Why?")
    assert plan.main.messages[0].content.startswith("About this person:\n- home: Paris\n")


def test_a_profile_is_written_anew_only_after_enough_changes(tmp_path):
    method = Profile(refresh=3)
    with Store.open(tmp_path / "ipse.db") as store:
        life = Lifecycle(store, echo())
        store.add(person().records)
        first = life.current(method, store.user("ada"))
        for n in range(2):
            store.add([reason("ada", 40 + n)])
            assert life.current(method, store.user("ada")).id == first.id
        store.add([reason("ada", 42)])
        assert life.current(method, store.user("ada")).id != first.id
        second = life.current(method, store.user("ada"))
        store.add([record(50, kind="profile", input="diet", output="vegan")])
        assert "vegan" in life.current(method, store.user("ada")).state.facts["profile"]
        assert life.current(method, store.user("ada")).id != second.id


def test_a_profile_reads_a_spread_of_the_history():
    user = User("ada", tuple(reason("ada", n) for n in range(100)))
    state = finish(Profile(sample=5).enroll(user, None), echo())
    places = [user.records.index(user.record(name)) for name in state.lineage]
    assert places == [19, 39, 59, 79, 99]


# Facets.


def test_facets_count_habits():
    texts = ["I think so.", "I think not.", "i doubt it!"]
    user = User("ada", tuple(record(n, output=text) for n, text in enumerate(texts)))
    facts = Facets().enroll(user, None).facts
    assert facts == {
        "length": 3,
        "lower": 0.33,
        "period": 1,
        "exclaims": 0.33,
        "openings": ["I think"],
        "words": [],
    }


def test_facets_are_said_as_requests():
    texts = ["i think so", "i think not", "i doubt it!"]
    user = User("ada", tuple(record(n, output=text) for n, text in enumerate(texts)))
    said = apply(Facets(), user, "Why?").main.messages[0].content
    assert said.splitlines() == [
        "Write and rate as this person does:",
        "- about 3 words at a time",
        '- beginning like "i think"',
        "- without a capital at the start",
        "- without a full stop at the end",
        "- with exclamation marks",
    ]


def test_facets_name_the_persons_own_words_not_the_subjects():
    everyone = [
        User(name, tuple(reason(name, n, output="the point is good") for n in range(9)))
        for name in ("bob", "eve", "joe")
    ]
    shared = Facets().fit(everyone)
    told = "the bottles are frankly good"
    user = User("ada", tuple(reason("ada", 5 * n + 1, output=told) for n in range(9)))
    found = Facets().enroll(user, shared).facts["words"]
    assert set(found) == {"frankly", "are"}


def test_a_word_of_one_person_never_enters_what_is_kept_of_everyone():
    people = [
        User(name, (reason(name, 1, output=f"secret of {name}"),)) for name in ("a", "b", "c")
    ]
    assert set(Facets().fit(people).facts["counts"]) == {"secret", "of"}


def test_facets_rate():
    user = User("ada", tuple(record(n, kind="interaction", output=str(n + 1)) for n in range(3)))
    assert Facets().enroll(user, None).facts == {"rating": 2, "ratings": 3}


# LaMP: each task's prompt as the benchmark writes it (catalogue D.1), words for tokens.

LAMP = [
    (
        "1",
        {"input": "Deep nets", "output": "We study nets."},
        'For an author who has written the paper with the title "T", which reference is related? '
        '[1]: "Nets" [2]: "Trees"',
        'For an author who has written the paper with the title, and "Deep nets" "T", which '
        'reference is related? [1]: "Nets" [2]: "Trees"',
    ),
    (
        "2",
        {"kind": "interaction", "input": "A robot dreams", "output": "sci-fi"},
        "Which tag does this movie relate to? description: Robots",
        'the tag for the movie: "A robot dreams" is "sci-fi" . Which tag does this movie relate '
        "to? description: Robots",
    ),
    (
        "2n",
        {"input": "They won", "output": "sports", "meta": {"title": "Final"}},
        "Which category does this article relate to? article: A cup",
        'the category for the article: "They won" is "sports" . Which category does this article '
        "relate to? article: A cup",
    ),
    (
        "3",
        {"kind": "interaction", "input": "Lovely", "output": "5"},
        "What is the score of the following review? review: Bad",
        '5 is the score for "Lovely" . What is the score of the following review? review: Bad',
    ),
    (
        "4",
        {"input": "Rain fell", "output": "Wet day"},
        "Generate a headline for the following article: Sun",
        '"Wet day" is the title for "Rain fell" . Generate a headline for the following article: '
        "Sun",
    ),
    (
        "5",
        {"input": "We prove it", "output": "A proof"},
        "Generate a title for the following abstract of a paper: We",
        '"A proof" is a title for "We prove it" . Following the given patterns Generate a title '
        "for the following abstract of a paper: We",
    ),
    (
        "7",
        {"input": "", "output": "so tired"},
        "Paraphrase the following tweet without any explanation before or after it: hi",
        '"so tired" are written by a person. Following the given patterns Paraphrase the '
        "following tweet without any explanation before or after it: hi",
    ),
]


@pytest.mark.parametrize(("task", "fields", "question", "expected"), LAMP)
@pytest.mark.parametrize("budget", [0, 512])
def test_lamp_writes_each_tasks_prompt(task, fields, question, expected, budget):
    plan = apply(Lamp(task=task, budget=budget), User("ada", (record(0, **fields),)), question)
    assert plan.main.question == expected
    assert len(plan.evidence) == 1


def test_lamp_joins_records_and_cuts_them_to_the_budget():
    long = " ".join(f"w{i}" for i in range(50))
    user = User("ada", tuple(record(n, input=long, output=f"T{n}") for n in range(2)))
    question = "Generate a headline for the following article: w1 w2"
    plan = apply(Lamp(task="4", k=2, budget=60), user, question)
    # 9 words asked, so 51 left; each may have (51 - 1 - 2) // 2 = 24, of which its frame takes 6:
    # `"T1" is the title for " "` counted in words is 7, so 17 words of each text are kept.
    cut = " ".join(f"w{i}" for i in range(17))
    assert plan.main.question == (
        f'"T1" is the title for "{cut}" , and "T0" is the title for "{cut}" . {question}'
    )


def test_lamp_claims_no_evidence_it_does_not_show():
    user = User("ada", (record(0, input="Deep nets", output="We study nets."),))
    question = 'Which reference is related? [1]: "Nets" [2]: "Trees"'
    assert apply(Lamp(task="1"), user, question) == Plan.ask(question)


def test_lamp_takes_a_label_as_it_is():
    user = User("ada", (record(0, input="news", output="{text} {label}"),))
    plan = apply(Lamp(task="4"), user, "Generate a headline for the following article: news")
    assert plan.main.question.startswith('"{text} {label}" is the title for "news" ')


def test_lamp_leaves_records_out_that_can_never_fit():
    user = User("ada", (record(0, input="a b c", output="T"),))
    question = "Generate a headline for the following article: w"
    plan = apply(Lamp(task="4", budget=4), user, question)
    assert plan == Plan.ask(question)


# Hybrid and memory.


class Embedding:
    """A model whose vectors are what a test says they are; (1, 0) where it says nothing."""

    def __init__(self, **vectors):
        self.vectors, self.asked = vectors, []

    def embed(self, texts):
        self.asked.append(tuple(texts))
        return np.array([self.vectors.get(text, (1.0, 0.0)) for text in texts], np.float32)


def found(method, user, question, lm):
    """The records shown, the best first."""
    state = finish(method.enroll(user, None), lm)
    plan = personalize(Plan.ask(question), user, [Learned(method, state)], lm)
    return [user.record(name).output for name in reversed(plan.evidence)]


def said(*lines, minutes=1):
    """A conversation, such as `Ann: tea`, a line a minute."""
    turns = [line.split(": ") for line in lines]
    return User("ada", tuple(
        Record(user="ada", kind="dialogue", output=text, meta={"speaker": name},
               time=START + timedelta(minutes=n * minutes))
        for n, (name, text) in enumerate(turns)
    ))  # fmt: skip


def test_hybrid_heeds_how_sure_its_parts_are():
    # By words the zebra is far ahead of all lines; by meaning it is the last, but by little. Ranks
    # see only that it is the last: 1/61 + 1/69, against 1/62 + 1/61 of the nearest line.
    lines = ["Ann: zebra", *(f"Ann: line {n}" for n in range(8))]
    near = {f"line {n}": (1 + n / 1000, 0.0) for n in range(8)} | {"zebra": (0.999, 0.0)}
    for method, best in ((Hybrid(k=1), "zebra"), (Hybrid(k=1, fusion="ranks"), "line 7")):
        assert found(method, said(*lines), "Zebra line?", Embedding(**near)) == [best]


def test_hybrid_by_ranks_is_reciprocal_rank_fusion():
    user = said("Ann: tea", "Ann: tea tea tea coffee", "Ann: milk")
    near = {"tea": (0.5, 0.0), "tea tea tea coffee": (0.4, 0.0), "milk": (0.9, 0.0)}
    # words: the second, the first; meaning: milk, the first, the second
    # first 1/62 + 1/62, second 1/61 + 1/63, milk 1/61
    lm = Embedding(**near, coffee=(1.0, 0.0))
    expected = ["tea tea tea coffee", "tea", "milk"]
    assert found(Hybrid(fusion="ranks"), user, "tea coffee", lm) == expected


def test_memory_finds_an_answer_by_its_question():
    user = said("Ann: Which pet?", "Bob: A tortoise", "Ann: Well", "Bob: So", minutes=59)
    apart = said("Ann: Which pet?", "Bob: A tortoise", "Ann: Well", "Bob: So", minutes=99)
    by_words = Memory(k=2, words=1.0, reach=1)
    assert found(by_words, user, "which pet", Embedding()) == ["Which pet?", "A tortoise"]
    assert found(by_words, apart, "which pet", Embedding()) == ["Which pet?", "So"]  # newest


def test_memory_heeds_who_is_named():
    user = said("Ann: I like tea", "Bob: I like tea", "Ann: Well")
    alone = Memory(k=1, reach=0)
    state = finish(alone.enroll(user, None), Embedding())
    for question, place in (("Does Ann like tea?", 0), ("Does Bob like tea?", 1)):
        plan = personalize(Plan.ask(question), user, [Learned(alone, state)], Embedding())
        assert plan.evidence == (user.records[place].id,)


def test_memory_embeds_a_question_without_the_names_in_it():
    user, lm = said("Ann: tea", "Bob: tea"), Embedding()
    found(Memory(), user, "What did Ann drink?", lm)
    found(Memory(speaker=0), user, "What did Ann drink?", lm)
    assert [asked for asked in lm.asked if len(asked) == 1] == [
        ("What did drink?",),
        ("What did Ann drink?",),
    ]


def test_memory_heeds_dates():
    user = said(*["Ann: tea"] * 80, minutes=24 * 60)  # START is 1 January 2024
    state = finish(Memory().enroll(user, None), Embedding())
    learned = [Learned(Memory(k=1), state)]
    plan = personalize(Plan.ask("Who had tea on 5 February?"), user, learned, Embedding())
    assert user.record(plan.evidence[0]).time.date().isoformat() == "2024-02-05"


def test_memory_without_cues_company_and_stems_is_hybrid():
    user = person(count=30)
    bare = Memory(k=5, reach=0, speaker=0, date=0, stem=False, words=0.3)
    lm = echo()
    question = "Which argument about plastic bottles is better?"
    other = Hybrid(k=5, words=0.3)
    # Their BM25 differ in k1 and b alone, which decides nothing among texts this much alike.
    assert set(found(bare, user, question, lm)) == set(found(other, user, question, lm))


def test_memory_reads_a_name_that_is_no_text():
    user = User("ada", tuple(record(n, output="tea", meta={"speaker": n}) for n in range(3)))
    assert found(Memory(k=3), user, "tea", Embedding()) == ["tea"] * 3


def test_memory_takes_over_the_vectors_it_has():
    user, lm = said("Ann: one", "Bob: two", "Ann: three"), Embedding()
    before = User("ada", user.records[:2])
    state = finish(Memory().enroll(before, None), lm)
    finish(Memory().update(user, state, None), lm)
    assert lm.asked == [("one", "two"), ("three",)]
