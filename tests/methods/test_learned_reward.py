"""Methods whose reward is learned from pairs, beyond what all methods promise."""

from datetime import timedelta

import numpy as np
import pytest

from ipse import Ipse
from ipse.errors import InvalidPlan, Unknown, UsageError
from ipse.lifecycle import Lifecycle
from ipse.methods import finish, parse
from ipse.methods.features import described, scale, scaled
from ipse.methods.low_rank_reward import LowRankReward
from ipse.plan import Plan, Sampling
from ipse.records import Record, User
from ipse.state import State
from ipse.store import Store
from tests.people import START, StandIn, echo

NAMES = ("low-rank-reward", "variational-preference:steps=300", "group-preference:steps=300")
WORDS = ("tea", "milk", "rain", "road", "house", "blue", "green", "seven", "lamp", "bread")
PLAN = Plan.ask("What now?")


def text(chance, size):
    return " ".join(WORDS[n] for n in chance.integers(0, len(WORDS), size))


def person(name, *, short, count=30, start=0):
    """One who likes it short, or long, and says so, and ties where both are alike."""
    chance = np.random.default_rng([*name.encode()])
    records = []
    for n in range(start, start + count):
        one, other = text(chance, 3), text(chance, 20)
        chosen, rejected = (one, other) if short else (other, one)
        records.append(
            Record(
                user=name, kind="preference", input=f"{n}?", output=chosen, rejected=rejected,
                time=START + timedelta(minutes=n), uses=frozenset({"prompt", "train", "share"}),
                meta={"tie": True} if n % 10 == 9 else {},
            )
        )  # fmt: skip
    return User(name, tuple(records))


@pytest.fixture
def life(tmp_path):
    with Store.open(tmp_path / "ipse.db") as store:
        lm = StandIn(echo())
        lm.attach(store.arrays)
        for n in range(12):
            store.add(person(f"p{n}", short=n % 2 == 0).records)
        yield Lifecycle(store, lm)


def rewards(life, method, user, texts):
    saved = life.current(method, user)
    return finish(method.rewards(PLAN, texts, user, saved and saved.state), life.lm)


@pytest.mark.parametrize("name", NAMES)
def test_people_who_like_it_short_and_long_are_told_apart(life, name):
    (method,) = parse(name)
    life.fit(method)
    chance = np.random.default_rng(0)
    texts = [text(chance, 3), text(chance, 20)]
    for short in (True, False):
        user = person(f"new{short}", short=short)
        life.store.add(user.records)
        liked = rewards(life, method, user, texts)
        assert (liked[0] > liked[1]) == short


@pytest.mark.parametrize("name", NAMES)
def test_who_told_nothing_has_the_populations_reward(life, name):
    (method,) = parse(name)
    life.fit(method)
    other = Record(user="new", kind="profile", input="home", output="Paris", time=START)
    user = User("new", (other,))
    life.store.add(user.records)
    texts = ["one two", "one two three four five six"]
    found = finish(described(method.features, [PLAN.main.question] * 2, texts), life.lm)
    arrays = life.store.state(life.key(method)).state.arrays
    everyones = scaled(arrays, found) @ arrays["mean"]
    assert np.allclose(rewards(life, method, user, texts), everyones, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_everyones_part_there_is_no_say(life, name):
    (method,) = parse(name)
    assert life.current(method, person("p0", short=True)) is None
    assert rewards(life, method, person("p0", short=True), ["a", "b"]) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_lineage_names_every_judgement_and_forgetting_one_forgets_what_was_learned(life, name):
    (method,) = parse(name)
    saved = life.fit(method)
    everybody = {r.id for n in range(12) for r in person(f"p{n}", short=n % 2 == 0).records}
    assert set(saved.state.lineage) == everybody
    user = person("p1", short=False)
    assert set(life.current(method, user).state.lineage) == {r.id for r in user.records}
    life.store.forget_record(user.records[3].id, "p1")
    assert life.store.state(life.key(method)) is None
    assert life.store.states("p1") == []


@pytest.mark.parametrize("begun", [0, 20])
def test_new_choices_are_learned_online_as_if_all_were_learned_at_once(life, begun):
    method = LowRankReward()
    life.fit(method)
    shared = life.store.state(life.key(method)).state
    whole = person("new", short=True, count=40)
    state = finish(method.enroll(User("new", whole.records[:begun]), shared), life.lm)
    for end in range(begun + 1, 41):
        state = finish(method.update(User("new", whole.records[:end]), state, shared), life.lm)
    at_once = finish(method.enroll(whole, shared), life.lm)
    assert state.lineage == at_once.lineage
    assert state.facts["pairs"] == at_once.facts["pairs"] == 40
    assert all(
        np.allclose(state.arrays[name], at_once.arrays[name], atol=1e-5) for name in state.arrays
    )


def test_who_changes_their_mind_is_learned_of_anew(life):
    method = LowRankReward()
    life.fit(method)
    shared = life.store.state(life.key(method)).state
    user = person("new", short=True, count=12)
    state = finish(method.enroll(user, shared), life.lm)
    last = user.records[0]
    other = Record(
        user="new", kind="preference", input=last.input, output=last.rejected,
        rejected=last.output, time=START + timedelta(days=1),
    )  # fmt: skip
    changed = User("new", (*user.records, other))
    updated = finish(method.update(changed, state, shared), life.lm)
    anew = finish(method.enroll(changed, shared), life.lm)
    assert updated.facts == anew.facts
    assert updated.facts["pairs"] == 12
    assert np.allclose(updated.arrays["weights"], anew.arrays["weights"])


def test_more_answers_are_surer_in_facts(life):
    method = LowRankReward()
    life.fit(method)
    shared = life.store.state(life.key(method)).state
    unsure = [
        finish(method.enroll(person("new", short=True, count=n), shared), life.lm).facts["unsure"]
        for n in (1, 10, 30)
    ]
    assert unsure == sorted(unsure, reverse=True)


def test_features_are_named_and_measured_once_a_text():
    lm = echo()
    texts = ["a b", "c", "a b"]
    both = finish(described("attributes embedding", ["?"] * 3, texts), lm)
    alone = np.hstack(
        [finish(described(f, ["?"] * 3, texts), lm) for f in ("attributes", "embedding")]
    )
    assert (both == alone).all()
    near = scaled(scale("attributes", both[:, :8]), both[:, :8])
    assert np.allclose(near.mean(0), 0)
    assert set(np.round(near.std(0), 6)) <= {0.0, 1.0}
    with pytest.raises(Unknown, match="unknown feature 'colour'"):
        finish(described("colour", ["?"], ["a"]), lm)
    with pytest.raises(UsageError, match="at least one of"):
        finish(described("", ["?"], ["a"]), lm)


def test_a_state_that_is_not_kept_has_no_name():
    with pytest.raises(InvalidPlan, match="keep the state"):
        finish(LowRankReward().enroll(person("p0", short=True), State()), echo())


def test_of_several_real_answers_the_one_that_is_liked_best_is_given(tmp_path, pico):
    methods = "best-of-n:n=4,reward=none+low-rank-reward:features=attributes"
    with Ipse(tmp_path / "ipse.db", pico, methods=methods) as me:
        for n in range(6):
            me.add(person(f"p{n}", short=n % 2 == 0).records)
        for name, short in (("ada", True), ("eve", False)):
            me.add(person(name, short=short).records)
        me.fit()
        sampling = Sampling(max_tokens=12, temperature=1.5)
        answers = {name: me.ask(name, "And now?", sampling=sampling) for name in ("ada", "eve")}
        plain = me.ask("ada", "And now?", sampling=sampling, strength=0)
    for answer in answers.values():
        reply = answer.reply
        assert len(reply.candidates) == 4
        assert answer.text == reply.candidates[int(np.argmax(reply.rewards))]
    assert answers["ada"].reply.candidates == answers["eve"].reply.candidates
    assert answers["ada"].reply.rewards != answers["eve"].reply.rewards
    assert plain.text == answers["ada"].reply.candidates[0]
