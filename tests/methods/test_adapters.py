"""Methods that train weights, on a stand-in that answers as told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import InvalidPlan, Unknown
from ipse.job import Lora, Scales, Trained
from ipse.lm import Hold, Likelihood, Score, Train
from ipse.methods import parse
from ipse.methods.examples import learnable, modules
from ipse.methods.gate import judge, paired
from ipse.methods.pairs import answers
from ipse.plan import Adapter, Plan
from ipse.records import User
from ipse.state import State
from tests.methods.test_steering import run
from tests.people import person, reason

QUESTION = Plan.ask("Which argument about plastic bottles is better?")
EVERYONES = State(artifact="everyone")
FOR_EVERYONE = ("shared-adapter", "ia3", "user-identifier", "plora")


class Teacher:
    """Learns nothing much, and finds texts as likely as it is told for each kind of plan."""

    def __init__(self, **nats):
        self.nats = {"shared": 3.0, "retrieval": 3.0, "adapter": 3.0} | nats
        self.jobs = []

    def __call__(self, ask):
        if isinstance(ask, Train):
            self.jobs += ask.jobs
            return [Trained(self.learned(job), {"updates": 2, "seconds": 9.0}) for job in ask.jobs]
        if isinstance(ask, Hold):
            return "held"
        assert isinstance(ask, Likelihood)
        return [Score((-self.cost(plan, text),) * 2) for plan, text in zip(*each(ask), strict=True)]

    def cost(self, plan, text):
        kind = "retrieval" if plan.evidence else "shared"
        kind = "adapter" if Adapter("held") in plan.main.adapters else kind
        return self.nats[kind] + 0.01 * (len(text) % 5)

    def learned(self, job):
        width = getattr(job.learn, "width", 0)
        owners = {e.owner for e in job.examples if e.owner and width}
        return {
            "layer.lora_A": np.full((2, 3), len(job.examples), np.float32),
            "layer.lora_P": np.arange(2.0 * width).reshape(2, width),
        } | {f"owners/{owner}": np.ones(width, np.float32) for owner in owners}


def each(ask):
    return ask.plans, ask.targets


def wrote(user, numbers):
    return tuple(reason(user, n) for n in numbers)


def long(user="ada", count=40):
    return User(user, wrote(user, range(count)))


# For everyone.


@pytest.mark.parametrize("name", FOR_EVERYONE)
def test_everyone_is_learned_from_by_their_latest_answers(name):
    (method,) = parse(f"{name}:people=2,records=3,seed=5,epochs=3")
    teacher = Teacher()
    nobody = User("nobody", person().of(["profile"]).records)
    people = [nobody, person("bob"), User("eve"), person("zoe"), person("kim")]
    state, _ = run(method.fit(people), teacher)
    (job,) = teacher.jobs
    assert [e.target for e in job.examples] == [
        r.output for user in ("bob", "zoe") for r in person(user).latest(3)
    ]
    assert (job.seed, job.schedule.epochs) == (5, 3)
    assert isinstance(job.learn, Scales if name == "ia3" else Lora)
    assert set(state.lineage) == {r.id for u in ("bob", "zoe") for r in person(u).latest(3)}
    assert state.facts == {"updates": 2}  # how long it took is not the same again
    assert run(method.fit([nobody]), teacher) == (None, [])


@pytest.mark.parametrize("name", [*FOR_EVERYONE, "user-adapter"])
def test_without_what_everyone_has_there_is_nothing_to_serve(name):
    (method,) = parse(name)
    nobody = User("nobody", person().of(["profile"]).records)
    learned = method.enroll(nobody, None)
    assert learned is None or run(learned, Teacher()) == (None, [])
    assert method.apply(QUESTION, person(), None) is QUESTION


@pytest.mark.parametrize("name", [*FOR_EVERYONE, "user-adapter"])
def test_weights_without_a_name_are_refused(name):
    (method,) = parse(name)
    with pytest.raises(InvalidPlan, match="keep the state"):
        run(method.enroll(person(), State()), Teacher())


@pytest.mark.parametrize("name", ["shared-adapter", "ia3"])
def test_a_person_keeps_nothing_but_the_name_of_everyones_weights(name):
    (method,) = parse(name)
    state = method.enroll(person(), EVERYONES)
    assert (state.facts, dict(state.arrays), state.lineage) == ({"adapter": "everyone"}, {}, ())
    plan = method.apply(QUESTION, person(), state)
    assert plan.main.adapters == (Adapter("everyone"),)
    assert replace(plan, main=replace(plan.main, adapters=())) == QUESTION


def test_what_is_shown_in_training_is_strictly_earlier_and_may_be_read():
    hidden = replace(reason("ada", 3), uses=frozenset({"train"}), id="")
    user = User("ada", (*wrote("ada", range(3)), hidden, *wrote("ada", range(4, 12))))
    shown = learnable(user, 6, 60, retrieve=2)
    assert any(a.plan.evidence for a in shown)
    for answer in shown:
        times = [user.record(name).time for name in answer.plan.evidence]
        assert all(time < user.record(answer.record).time for time in times)
        assert len(times) <= 2
        assert hidden.id not in answer.plan.evidence
    (method,) = parse("shared-adapter:retrieve=2,people=1,records=6")
    teacher = Teacher()
    state, _ = run(method.fit([user]), teacher)
    assert [e.stream for e in teacher.jobs[0].examples] == [a.plan.main for a in shown]
    assert set(state.lineage) == {r for a in shown for r in (a.record, *a.plan.evidence)}
    plan = method.apply(QUESTION, user, method.enroll(user, EVERYONES))
    assert 0 < len(plan.evidence) <= 2
    seen = QUESTION.with_context("what another method shows", (user.records[0].id,))
    assert method.apply(seen, user, method.enroll(user, EVERYONES)).evidence == seen.evidence


def test_modules_are_named_by_letters():
    assert modules("q v_proj down") == ("q_proj", "v_proj", "down_proj")
    assert modules("g u o k") == ("gate_proj", "up_proj", "o_proj", "k_proj")
    with pytest.raises(Unknown, match="'x'"):
        modules("q x")


# The person's own words.


def test_everyone_has_words_of_their_own_that_never_change():
    (method,) = parse("user-identifier:length=10")
    assert method.identifier("ada") == "gift lace cube goat hill band gold bolt duck knot"
    names = [method.identifier(f"user {n}") for n in range(200)]
    assert len(set(names)) == 200
    assert parse("user-identifier:seed=1")[0].identifier("ada") != method.identifier("ada")


def test_the_words_stand_in_front_of_the_question_as_they_did_in_training():
    (method,) = parse("user-identifier:people=2,records=2")
    teacher = Teacher()
    run(method.fit([person("bob"), person("eve")]), teacher)
    asked = [(e.owner, e.stream.question) for e in teacher.jobs[0].examples]
    for owner, question in asked:
        assert question.startswith(method.identifier(owner) + "\n\nWhich argument")
    state = method.enroll(person(), EVERYONES)
    plan = method.apply(QUESTION, person(), state)
    assert plan.main.question == f"{method.identifier('ada')}\n\n{QUESTION.main.question}"
    assert plan.main.adapters == (Adapter("everyone"),)
    assert (dict(state.arrays), state.lineage) == ({}, ())


# PLoRA.


def test_plora_keeps_no_vector_of_those_it_learned_from():
    (method,) = parse("plora:people=2,records=5,nameless=0.3,width=4")
    teacher = Teacher()
    state, _ = run(method.fit([person("bob"), person("eve")]), teacher)
    assert sorted(state.arrays) == ["layer.lora_A", "layer.lora_P"]
    owners = [e.owner for e in teacher.jobs[0].examples]
    assert owners.count("") == 3
    assert set(owners) == {"", "bob", "eve"}
    assert teacher.jobs[0].learn.width == 4
    run(parse("plora:people=1,records=2,nameless=1")[0].fit([person("bob")]), teacher)
    assert sorted(e.owner for e in teacher.jobs[1].examples) == ["", "bob"]


def test_of_a_person_plora_keeps_what_their_vector_adds():
    (method,) = parse("plora:own=5,width=3")
    matrix = np.array([[1, 2, 3], [0, 1, 0]], np.float32)
    everyone = State(arrays={"layer.lora_P": matrix}, artifact="everyone")
    teacher = Teacher()
    state, _ = run(method.enroll(person(), everyone), teacher)
    (job,) = teacher.jobs
    assert (job.start, job.learn.only_owners) == ("everyone", True)
    assert {e.owner for e in job.examples} == {"ada"}
    assert len(job.examples) == len(state.lineage) == 5
    np.testing.assert_allclose(state.arrays["layer.lora_C"], [6, 1])
    assert list(state.arrays) == ["layer.lora_C"]
    plan = method.apply(QUESTION, person(), replace(state, artifact="own"))
    assert plan.main.adapters == (Adapter("everyone", own="own"),)
    assert method.update(person(), state, everyone) is state
    again, _ = run(method.update(person(count=40), state, everyone), teacher)
    assert again.facts["records"] == len(person(count=40))


def test_who_wrote_nothing_yet_is_served_by_the_plain_adapter():
    (method,) = parse("plora")
    nobody = User("nobody", person("nobody").of(["profile"]).records)
    state, asked = run(method.enroll(nobody, EVERYONES), Teacher())
    assert asked == []
    assert method.apply(QUESTION, nobody, state).main.adapters == (Adapter("everyone"),)


# An adapter of one's own.


def test_the_stage_for_everyone_is_shared_adapters_own_job():
    teacher = Teacher()
    for text in (
        "shared-adapter",
        "user-adapter:rate=0.5,records=7",
        "shared-adapter:rank=3,modules=q v",
        "user-adapter:task=rank=3;modules=q v",
    ):
        run(parse(text)[0].fit([person("bob"), person("eve")]), teacher)
    one, same, other, same_other = [job.hash for job in teacher.jobs]
    assert one == same != other == same_other


def test_an_adapter_that_beats_both_is_served_and_goes_on_with_what_was_held_out():
    (method,) = parse("user-adapter:records=30")
    user, teacher = long(), Teacher(adapter=2.0)
    state, asked = run(method.enroll(user, EVERYONES), teacher)
    first, second = teacher.jobs
    held = [r.output for r in user.records[-8:]]
    assert [e.target for e in first.examples] == [r.output for r in user.records[10:-8]]
    assert {e.stream.adapters for e in first.examples} == {(Adapter("everyone"),)}
    assert first.start == ""
    assert second.start == "held"
    targets = [e.target for e in second.examples]
    assert targets[-8:] == held
    assert set(targets[:8]) < {e.target for e in first.examples}
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    assert [*tested.targets] == held * 3
    gate = state.facts["gate"]
    assert gate["serves"] == "adapter"
    assert gate["nats"]["adapter"] < min(gate["nats"]["shared"], gate["nats"]["retrieval"])
    assert (gate["records"], set(gate["p"])) == (8, {"shared", "retrieval"})
    assert max(gate["p"].values()) == 1 / 256
    assert "beats shared (p = 0.004) and retrieval (p = 0.004)" in gate["why"]
    assert state.arrays
    assert set(state.lineage) >= {r.id for r in user.records[10:]}
    plan = method.apply(QUESTION, user, replace(state, artifact="own"))
    assert plan.main.adapters == (Adapter("everyone"), Adapter("own"))
    assert plan.evidence == ()
    with pytest.raises(InvalidPlan, match="keep the state"):
        method.apply(QUESTION, user, state)


@pytest.mark.parametrize(
    ("nats", "serves", "why"),
    [
        ({"retrieval": 2.0, "adapter": 2.5}, "retrieval", "does not beat retrieval (p = 1.000)"),
        ({"shared": 2.0, "adapter": 2.5}, "shared", "does not beat shared (p = 1.000)"),
        ({}, "shared", "does not beat shared (p = 1.000) and retrieval (p = 1.000)"),
    ],
)
def test_an_adapter_that_does_not_is_neither_served_nor_kept(nats, serves, why):
    (method,) = parse("user-adapter")
    user, teacher = long(), Teacher(**nats)
    state, _ = run(method.enroll(user, EVERYONES), teacher)
    assert len(teacher.jobs) == 1
    assert state.facts["gate"]["serves"] == serves
    assert why in state.facts["gate"]["why"]
    assert not state.arrays
    plan = method.apply(QUESTION, user, state)
    assert plan.main.adapters == (Adapter("everyone"),)
    assert bool(plan.evidence) == (serves == "retrieval")


def test_too_few_answers_get_no_adapter_however_good_it_would_be():
    (method,) = parse("user-adapter:least=20")
    teacher = Teacher(adapter=0.0, retrieval=2.0)
    state, _ = run(method.enroll(long(count=19), EVERYONES), teacher)
    assert teacher.jobs == []
    gate = state.facts["gate"]
    assert (gate["serves"], gate["p"]) == ("retrieval", {})
    assert "it needs 20" in gate["why"]
    later, _ = run(method.update(long(count=20), state, EVERYONES), teacher)
    assert later.facts["gate"]["serves"] == "adapter"


def test_without_the_test_it_is_served_in_any_case():
    (method,) = parse("user-adapter:gate=false")
    teacher = Teacher(adapter=9.0)
    state, asked = run(method.enroll(long(count=3), None), teacher)
    assert [type(ask) for ask in asked] == [Train]
    assert len(teacher.jobs[0].examples) == 3
    assert state.facts["gate"]["serves"] == "adapter"
    assert "gate=false" in state.facts["gate"]["why"]
    plan = method.apply(QUESTION, long(), replace(state, artifact="own"))
    assert plan.main.adapters == (Adapter("own"),)


def test_where_nothing_is_known_of_everyone_the_generic_model_is_the_rival():
    (method,) = parse("user-adapter")
    state, _ = run(method.enroll(long(), None), Teacher(retrieval=4.0))
    assert state.facts["gate"]["serves"] == "none"
    assert set(state.facts["gate"]["p"]) == {"none", "retrieval"}
    assert method.apply(QUESTION, long(), state) is QUESTION


def test_with_retrieval_it_is_trained_and_served_as_it_is_tested():
    (method,) = parse("user-adapter:retrieve=2,rival=3")
    user, teacher = long(), Teacher(adapter=2.0)
    state, asked = run(method.enroll(user, EVERYONES), teacher)
    shown = learnable(user, 60, 60, retrieve=2)
    assert [e.stream.messages for e in teacher.jobs[0].examples] == [
        a.plan.main.messages for a in shown[:-8]
    ]
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    shared, rival, own = (tested.plans[at : at + 8] for at in (0, 8, 16))
    assert [p.main.messages for p in own] == [a.plan.main.messages for a in shown[-8:]]
    assert {len(p.evidence) for p in shared} == {0}
    assert {len(p.evidence) for p in rival} == {3}
    assert {name for p in rival for name in p.evidence} <= set(state.lineage)
    plan = method.apply(QUESTION, user, replace(state, artifact="own"))
    assert len(plan.evidence) == 2


def test_a_profile_that_training_shows_is_of_earlier_records_all_of_which_it_is_made_from():
    (facets,), (method,) = parse("facets"), parse("user-adapter:profile=true")
    user, teacher = long(), Teacher(adapter=2.0)
    state, asked = run(method.enroll(user, EVERYONES), teacher)
    plain, _ = run(replace(method, profile=False).enroll(user, EVERYONES), Teacher(adapter=2.0))
    for answer, example in zip(answers(user, 60, 60), teacher.jobs[0].examples, strict=False):
        earlier = user.before(user.record(answer.record).time)
        shown = facets.apply(answer.plan, earlier, facets.enroll(earlier, None))
        assert example.stream.messages == shown.main.messages
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    assert all(plan.main.messages[0].role == "system" for plan in tested.plans[16:])
    assert not any(plan.main.messages[0].role == "system" for plan in tested.plans[:8])
    last = user.record(answers(user, 60, 60)[-1].record).time
    assert {record.id for record in user.before(last).records} < set(state.lineage)
    assert set(plain.lineage) <= set(state.lineage)


def test_new_answers_are_learned_from_where_it_was_beside_some_old_ones():
    (method,) = parse("user-adapter:refresh=20")
    teacher = Teacher(adapter=2.0)
    state, _ = run(method.enroll(long(count=40), EVERYONES), teacher)
    kept = replace(state, artifact="own")
    assert method.update(long(count=59), kept, EVERYONES) is kept
    teacher.jobs.clear()
    grown = long(count=60)
    later, asked = run(method.update(grown, kept, EVERYONES), teacher)
    job = teacher.jobs[0]
    new = [r.output for r in grown.records[40:]]
    targets = [e.target for e in job.examples]
    assert job.start == "own"
    assert targets[-12:] == new[:12]
    assert len(targets) == 12 + 12
    assert set(targets[:12]) <= {r.output for r in grown.records[:40]}
    (tested,) = [ask for ask in asked if isinstance(ask, Likelihood)]
    assert [*tested.targets[:8]] == new[12:]
    assert set(later.lineage) >= {*kept.lineage, *(r.id for r in grown.records[40:])}
    again, _ = run(method.update(grown, kept, EVERYONES), Teacher(adapter=2.0))
    assert again.lineage == later.lineage  # what is replayed is no matter of chance


def test_who_had_no_adapter_begins_anew():
    (method,) = parse("user-adapter:refresh=20")
    state, _ = run(method.enroll(long(count=40), EVERYONES), Teacher())
    teacher = Teacher(adapter=2.0)
    run(method.update(long(count=60), state, EVERYONES), teacher)
    assert teacher.jobs[0].start == ""
    assert len(teacher.jobs[0].examples) == 48


# The test.


def test_the_p_value_is_the_share_of_signs_that_do_as_well():
    assert paired([1, 2, 3], [1, 2, 3]) == 1.0
    assert paired([], []) == 1.0
    assert paired([1.0] * 5, [2.0] * 5) == 1 / 32
    assert paired([2.0] * 5, [1.0] * 5) == 1.0
    assert paired([1.0, 2.0], [2.0, 1.5]) == 2 / 4  # differences -1, 0.5: sums of -0.5, -1.5 do


def test_it_agrees_with_scipys():
    from scipy.stats import permutation_test

    chance = np.random.default_rng(3)
    for count in (6, 11, 30):
        one, other = chance.normal(0.0, 1, count), chance.normal(0.4, 1, count)
        theirs = permutation_test(
            (one - other,), np.mean, permutation_type="samples", alternative="less",
            n_resamples=9_999, rng=np.random.default_rng(0),
        )  # fmt: skip
        assert abs(paired(one, other) - theirs.pvalue) < (1e-9 if count < 13 else 0.02)


def test_an_adapter_no_better_than_the_rest_passes_seldom():
    chance = np.random.default_rng(0)
    draws = [chance.normal(3, 1, (3, 12)) for _ in range(300)]
    passed = [
        judge(dict(zip(("shared", "retrieval", "adapter"), d, strict=True)), 0.05, 20)["serves"]
        == "adapter"
        for d in draws
    ]
    assert np.mean(passed) < 0.05


def test_of_equals_the_simplest_serves():
    verdict = judge({"shared": [1.0, 2.0], "retrieval": [2.0, 1.0]}, 0.05, 20)
    assert verdict["serves"] == "shared"
    assert verdict["nats"] == {"shared": 1.5, "retrieval": 1.5}
