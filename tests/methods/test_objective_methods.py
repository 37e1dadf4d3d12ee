"""Methods that learn objectives of everyone and serve each person their own mixture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.errors import UsageError
from ipse.job import Loss, Trained
from ipse.lm import Hold, Reply, Train, Write
from ipse.methods import finish, parse
from ipse.methods.morlhf import advantages
from ipse.methods.objectives import Scale, nearest, vectors
from ipse.methods.ranking import Recipe, draw
from ipse.methods.rewards_in_context import mapped
from ipse.plan import Adapter, Plan
from ipse.records import User
from tests.methods.test_objectives import BOTH, TEXTS, prefers
from tests.methods.test_steering import run
from tests.people import person, reason

QUESTION = Plan.ask("Which argument about plastic bottles is better?")
SMALL = "recipe=people=2;prompts=3;answers=3;tokens=6;pairs=1"
EVERY = ("modpo", "morlhf", "rewards-in-context")


class Teacher:
    """Writes the same answers to everything, holds by number, and learns nothing."""

    def __init__(self):
        self.rounds, self.held = [], 0

    @property
    def jobs(self):
        return [job for jobs in self.rounds for job in jobs]

    def __call__(self, ask):
        if isinstance(ask, Write):
            return [Reply(TEXTS[0], candidates=TEXTS) for _ in ask.plans]
        if isinstance(ask, Hold):
            self.held += 1
            return f"held-{self.held}"
        assert isinstance(ask, Train)
        self.rounds.append(ask.jobs)
        return [Trained({"m.lora_A": np.ones(1)}, {"nats": [1.0], "seconds": 2.0})
                for _ in ask.jobs]  # fmt: skip


def fitted(text):
    (method,) = parse(f"{text},{SMALL}" if ":" in text else f"{text}:{SMALL}")
    teacher = Teacher()
    state, asked = run(method.fit([person("bob"), person("eve")]), teacher)
    return method, state and replace(state, artifact="everyone"), teacher, asked


def brief(user="ada"):
    """Someone who prefers the short."""
    long = "It is, I would say, something that you might want to think about for a while"
    return User(user, tuple(prefers(user, f"Yes {n}.", f"{long} {n}", n) for n in range(3)))


@pytest.mark.parametrize("name", EVERY)
def test_a_person_is_served_by_what_they_want(name):
    method, shared, _, _ = fitted(name)
    state = method.enroll(brief(), shared)
    assert state.facts["weights"][0] > 0.5
    assert set(state.lineage) == {r.id for r in brief().records}
    assert not state.arrays
    plan = method.apply(QUESTION, brief(), state)
    (adapter,) = plan.main.adapters
    assert adapter.name.startswith("everyone/")
    assert adapter.name.removeprefix("everyone/") + "/m.lora_A" in shared.arrays
    given = replace(method, weights="0 1").enroll(brief(), shared)
    assert (given.facts["weights"], given.lineage) == ([0.0, 1.0], ())
    assert method.apply(QUESTION, brief(), given) != plan


@pytest.mark.parametrize("name", EVERY)
def test_who_told_nothing_is_left_alone(name):
    method, shared, teacher, _ = fitted(name)
    assert method.enroll(User("nobody"), shared) is None
    assert method.enroll(brief(), None) is None
    assert method.apply(QUESTION, brief(), None) is QUESTION
    assert run(method.fit([User("nobody")]), teacher) == (None, [])


@pytest.mark.parametrize("name", EVERY)
def test_the_lineage_names_every_prompts_record(name):
    _, shared, _, _ = fitted(name)
    assert set(shared.lineage) == {r.id for u in ("bob", "eve") for r in person(u).latest(3)}


def test_vectors_are_read_and_the_nearest_serves():
    assert vectors("", BOTH) == [[0, 1], [0.25, 0.75], [0.5, 0.5], [0.75, 0.25], [1, 0]]
    three = vectors("", ("length", "hedging", "formality"))
    assert three == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [pytest.approx(1 / 3)] * 3]
    assert vectors("", ("length",)) == [[1.0]]
    assert vectors("1 3;2 0", BOTH) == [[0.25, 0.75], [1, 0]]
    with pytest.raises(UsageError, match="each of -length formality needs a weight"):
        vectors("1 2;3", BOTH)
    assert nearest([0.7, 0.3], vectors("", BOTH)) == 3


# MODPO.


def test_pairs_are_ranked_by_the_heaviest_and_the_others_are_their_margin():
    _, shared, teacher, _ = fitted("modpo:vectors=0.75 0.25;0.25 0.75")
    short, formal = teacher.jobs
    assert [job.loss.share for job in (short, formal)] == [0.75, 0.75]
    assert {job.loss.name for job in teacher.jobs} == {"modpo"}
    scale = Scale.of_facts(shared.facts)
    for job, by in ((short, 0), (formal, 1)):
        for example in job.examples:
            texts = [example.target, example.rejected]
            ahead = -np.diff(scale.rewards([example.stream.question] * 2, texts), axis=0)[0]
            assert ahead[by] > 0
            assert example.margin == pytest.approx(0.25 * ahead[1 - by], abs=1e-4)
            assert example.belief == pytest.approx(1 / (1 + np.exp(-ahead[by])), abs=1e-4)
    assert {e.belief for e in fitted("modpo:soft=false")[2].jobs[0].examples} == {1.0}
    assert sorted(fitted("modpo")[1].arrays) == [f"{i}/m.lora_A" for i in range(5)]


def test_the_best_model_of_a_soft_pair_is_ahead_by_the_weighted_rewards():
    """At `beta h = w . (r+ - r-)` the gradient of the loss is nothing, whatever the weights."""
    import torch

    from ipse.backends.local.training.losses import loss_of

    _, shared, teacher, _ = fitted("modpo:vectors=0.6 0.4")
    (job,) = teacher.jobs
    example, scale = job.examples[0], Scale.of_facts(shared.facts)
    texts = [example.target, example.rejected]
    gap = scale.rewards([example.stream.question] * 2, texts) @ [0.6, 0.4]
    ahead = torch.tensor([(gap[0] - gap[1]) / job.loss.beta], requires_grad=True)
    zero = torch.zeros(1)
    loss_of(job.loss, example, [ahead, zero], [zero, zero]).backward()
    assert ahead.grad.item() == pytest.approx(0, abs=1e-4)


# MORLHF.


def test_an_answer_counts_by_how_far_it_is_above_the_others():
    np.testing.assert_allclose(advantages(np.array([1.0, 2.0, 6.0])), [-3.0, -1.5, 4.5])
    np.testing.assert_allclose(advantages(np.array([5.0])), [0.0])
    assert len(advantages(np.array([]))) == 0


def test_each_round_goes_on_from_the_one_before():
    _, shared, teacher, asked = fitted("morlhf:vectors=1 0;0 1,rounds=3,asked=2,kl=0.2")
    assert [[job.start for job in jobs] for jobs in teacher.rounds] == [
        ["", ""], ["held-1", "held-2"], ["held-3", "held-4"]
    ]  # fmt: skip
    writes = [ask for ask in asked if isinstance(ask, Write)]
    assert [len(ask.plans) for ask in writes] == [
        6,
        4,
        4,
    ]  # the first round learns from the scale's
    assert [p.main.adapters for p in writes[1].plans] == [(Adapter("held-1"),)] * 2 + [
        (Adapter("held-2"),)
    ] * 2
    assert len({ask.plans[0].sampling.seed for ask in writes}) == 3
    assert {job.loss for job in teacher.jobs} == {Loss(kl=0.2)}
    scale = Scale.of_facts(shared.facts)
    for column, job in enumerate(teacher.rounds[1]):
        told = job.examples[:3]
        rewards = scale.rewards([told[0].stream.question] * 3, TEXTS)[:, column]
        np.testing.assert_allclose([e.weight for e in told], advantages(rewards), atol=1e-4)
        assert not any(e.stream.adapters for e in job.examples)
    questions = [{e.stream.question for e in jobs[0].examples} for jobs in teacher.rounds]
    assert len(set.union(*questions)) > 2  # the prompts come in turn


# Rewards in context.


def test_an_answers_rewards_stand_in_its_prompt():
    _, shared, teacher, asked = fitted("rewards-in-context:rounds=0")
    (job,) = teacher.jobs
    scale = Scale.of_facts(shared.facts)
    assert len([ask for ask in asked if isinstance(ask, Write)]) == 1
    for example in job.examples:
        bare, _, told = example.stream.question.rpartition("\n\n")
        short, formal = scale.rewards([bare], [example.target])[0]
        assert told == f"<-length> {short:.1f} <formality> {formal:.1f}"
    own = {r.output for r in person("bob").latest(3)}
    assert own < {e.target for e in job.examples}


def test_then_it_learns_from_its_best():
    _, _, teacher, asked = fitted("rewards-in-context:rounds=2")
    assert [jobs[0].start for jobs in teacher.rounds] == ["", "held-1", "held-2"]
    write = [ask for ask in asked if isinstance(ask, Write)][1]
    assert all("<-length>" in plan.main.question for plan in write.plans)
    assert {p.main.adapters for p in write.plans} == {(Adapter("held-1"),)}
    targets = {e.target for e in teacher.jobs[1].examples}
    assert targets < {*TEXTS, *(e.target for e in teacher.jobs[0].examples)}


def test_the_heaviest_is_asked_for_at_its_highest():
    span = np.array([[-1.0, -2.0], [1.0, 4.0]])
    np.testing.assert_allclose(mapped([0.5, 0.5], span), [1, 4])
    np.testing.assert_allclose(mapped([1.0, 0.0], span), [1, -2])
    np.testing.assert_allclose(mapped([0.25, 0.75], span), [-1 + 2 / 3, 4])
    method, shared, _, _ = fitted("rewards-in-context:weights=1 0")
    state = method.enroll(User("ada", (reason("ada", 1),)), shared)
    low, high = (shared.facts[name] for name in ("low", "high"))
    assert state.facts["rewards"] == [round(high[0], 1), round(low[1], 1)]
    plan = method.apply(QUESTION, brief(), state)
    told = f"<-length> {high[0]:.1f} <formality> {low[1]:.1f}"
    assert plan.main.question == f"{QUESTION.main.question}\n\n{told}"


# On a model that runs.


@pytest.mark.parametrize("name", EVERY)
def test_texts_of_a_higher_reward_get_likelier(pico, name):
    """On a random model: the gains of what it wrote go with the rewards it learned from."""
    recipe = "people=2;prompts=2;answers=5;tokens=10;pairs=2;epochs=6;rate=0.005;batch=4"
    more = {"modpo": "vectors=1,", "morlhf": "vectors=1,rounds=2,asked=4,kl=0,"}.get(name, "")
    (method,) = parse(f"{name}:{more}weights=1,objectives=-length,recipe={recipe}")
    people = [person("bob"), person("eve")]
    shared = finish(method.fit(people), pico)
    shared = replace(shared, artifact=pico.hold(shared.arrays))
    state = method.enroll(person(), shared)
    drawn, _ = finish(draw(people, ("-length",), Recipe.read(recipe)), pico)
    gains, rewards = [], []
    for each in drawn:
        plan = each.answer.plan
        plans = [method.apply(plan, person(), state), plan]
        if name == "rewards-in-context":  # the same weights, asked for the least
            least = {**state.facts, "rewards": [round(shared.facts["low"][0], 1)]}
            plans[1] = method.apply(plan, person(), replace(state, facts=least))
        after, before = (pico.score([p] * len(each.texts), each.texts) for p in plans)
        gains += [b.nats - a.nats for a, b in zip(after, before, strict=True)]
        rewards += [*each.rewards[:, 0]]
    assert np.corrcoef(gains, rewards)[0, 1] > 0.2
