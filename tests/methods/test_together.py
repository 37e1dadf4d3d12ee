"""Methods that are built from many people's records: what is new serves people who are new."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.backends.echo import EchoBackend
from ipse.engine import Ipse
from ipse.errors import InvalidPlan
from ipse.job import Hypernetwork
from ipse.lm import Embed, Hold, Train
from ipse.methods import finish, parse
from ipse.plan import Adapter, Plan
from ipse.records import Record, User
from ipse.state import State
from ipse.text import document
from tests.people import Both, StandIn, echo, person, reason
from tests.pico import HashEmbedder

FAST = "rate=0.01,batch=8"
HABITS = ("water water plastic freedom", "homework! school homework!")
QUESTION = Plan.ask("Why school 2?")
POPULATION = {name: HABITS[n % 2] for n, name in enumerate(("ann", "ben", "cay", "dan"))}
NEW = {"ada": HABITS[0], "bob": HABITS[1]}


def said(user: str, habit: str, n: int) -> Record:
    """The n-th answer of a person who answers everything alike."""
    uses = {"prompt", "train", *(["share"] if user in POPULATION else [])}
    asked = f"Why school {n % 3}?"
    return reason(user, n, input=asked, output=habit, uses=frozenset(uses))


@pytest.fixture
def me(tmp_path, pico):
    """People of two habits, of whom some share what they wrote."""
    with Ipse(tmp_path / "ipse.db", Both(pico, StandIn(echo()))) as engine:
        engine.add(said(u, h, n) for u, h in (POPULATION | NEW).items() for n in range(16))
        yield engine


def learn(me, methods, *users):
    """Learn of everyone and of some; give everyone's state, then each one's."""
    everyones = me.fit(methods)
    return [one.state for one in (*everyones, *(me.enroll(user, methods)[0] for user in users))]


def nats(me, methods, user, habit):
    """What a text costs in nats a token, by a person's plan."""
    plan = me.plan(user, QUESTION.main.question, methods=methods)
    (score,) = me.lm.score([plan], [habit])
    return score.nats / score.tokens


def check_own_beats_other(me, methods, by=0.5):
    """People who were never trained on get what is theirs, not what is the other's."""
    for user, own in NEW.items():
        (other,) = set(NEW.values()) - {own}
        assert nats(me, methods, user, own) < nats(me, methods, user, other) - by
        stranger = next(name for name in NEW if name != user)
        assert nats(me, methods, user, own) < nats(me, methods, stranger, own) - by


# The network that makes weights.

NETWORK = f"hypernetwork:records=8,history=8,epochs=12,alpha=16,modules=q k v o up down,{FAST}"


def test_a_network_makes_weights_for_people_it_was_not_learned_from(me):
    everyones, ada, bob = learn(me, NETWORK, *NEW)
    check_own_beats_other(me, NETWORK)
    assert ada.arrays.keys() == bob.arrays.keys()
    assert all(a.dtype == np.float16 for name, a in ada.arrays.items() if name != "scale")
    shared = {r.id for u in POPULATION for r in me.store.user(u).records}
    assert set(everyones.lineage) == shared
    assert set(ada.lineage) == {r.id for r in me.store.user("ada").latest(8)}


class Listener:
    """A stand-in that keeps what it is asked."""

    def __init__(self):
        self.lm, self.asked = StandIn(echo()), []

    def __call__(self, ask):
        self.asked.append(ask)
        return finish(echoed(ask), self.lm)


def echoed(ask):
    return (yield ask)


def fitted(text, people):
    """What a method learns of everyone from a stand-in, and what it asks for."""
    (method,) = parse(text)
    listener = Listener()
    steps, answer = method.fit(people), None
    try:
        while True:
            answer = listener(steps.send(answer))
    except StopIteration as stop:
        return method, stop.value, listener


def jobs_of(listener):
    return [job for ask in listener.asked if isinstance(ask, Train) for job in ask.jobs]


def test_a_network_is_learned_from_later_answers_under_earlier_ones():
    nobody = User("nobody", person().of(["profile"]).records)
    people = [nobody, person("bob"), person("eve", 3), person("zoe")]
    method, state, listener = fitted("hypernetwork:people=2,records=4,history=5,seed=3", people)
    (job,) = jobs_of(listener)
    assert isinstance(job.learn, Hypernetwork)
    bob, eve = people[1], people[2]
    later = [*bob.latest(4), *eve.latest(2)]
    assert [e.target for e in job.examples] == [r.output for r in later]
    assert [e.lines for e in job.examples] == [(0,), (1,), (2,), (0,), (3,), (4,)]
    (embed,) = (ask for ask in listener.asked if isinstance(ask, Embed))
    earlier = [*bob.records[-9:-4], *eve.records[-7:-2]]
    assert embed.texts == tuple(r.output for r in earlier)
    table = next(ask.arrays["table"] for ask in listener.asked if isinstance(ask, Hold))
    assert table.shape == (6, 64)
    np.testing.assert_allclose((table**2).mean(1), 1, rtol=1e-5)
    assert set(state.lineage) == {r.id for r in (*earlier, *later)}
    assert fitted("hypernetwork", [nobody])[1] is None
    own = finish(method.enroll(person("kim"), state), listener.lm)
    plan = method.apply(QUESTION, person("kim"), replace(own, artifact="hers"))
    assert plan.main.adapters == (Adapter("hers"),)
    assert finish(method.enroll(User("new"), state), listener.lm) is None
    assert finish(method.enroll(person("kim"), None), listener.lm) is None
    assert method.apply(QUESTION, person("kim"), None) is QUESTION


def test_weights_stay_until_enough_has_changed():
    method, everyones, listener = fitted("hypernetwork:refresh=3", [person("bob")])
    user = person("kim")
    state = finish(method.enroll(user, everyones), listener.lm)
    more = User("kim", (*user.records, *(reason("kim", 40 + n) for n in range(3))))
    assert method.update(User("kim", more.records[:-1]), state, everyones) is state
    again = finish(method.update(more, state, everyones), listener.lm)
    assert again.facts == {"records": len(more)}


# Soft prompts.

PREFIX = f"user-prefix:epochs=30,hidden=64,records=12,history=8,{FAST}"


@pytest.mark.parametrize("form", ["attend", "each"])
def test_a_soft_prompt_brings_out_a_new_persons_habit(me, form):
    methods = f"{PREFIX},form={form}"
    everyones, ada, _ = learn(me, methods, *NEW)
    check_own_beats_other(me, methods)
    assert set(everyones.lineage) == {r.id for u in POPULATION for r in me.store.user(u).records}
    assert set(ada.lineage) == {r.id for r in me.store.user("ada").latest(8)}
    plan = me.plan("ada", "Why school 2?", methods=methods)
    assert plan.main.prefix
    assert plan.needs == {"prefix"}
    places = len(me.lm.arrays(plan.main.prefix)["prefix"])
    assert places == (2 if form == "attend" else 9)


def test_soft_prompts_are_learned_from_strictly_earlier_records():
    people = [person("bob"), person("eve", 3)]
    method, state, listener = fitted("user-prefix:people=2,records=3,history=4", people)
    (job,) = jobs_of(listener)
    records, questions = (ask.texts for ask in listener.asked if isinstance(ask, Embed))
    assert len(questions) == len(job.examples) == 6
    for example, question in zip(job.examples, questions, strict=True):
        user = next(u for u in people if u.id == example.owner)
        (answer,) = (r for r in user.records if r.output == example.target)
        earlier = user.before(answer.time).latest(4)
        assert (records + questions)[example.lines[0]] == question == answer.input
        shown = [records[line] for line in example.lines[1:]]
        assert shown == [document(r, "both", 32) for r in earlier]
        assert answer.id in state.lineage
        assert {r.id for r in earlier} <= set(state.lineage)
    table = next(ask.arrays["table"] for ask in listener.asked if isinstance(ask, Hold))
    assert table.shape == (len(records) + 6, 64)
    assert fitted("user-prefix", [User("nobody")])[1] is None
    with pytest.raises(InvalidPlan, match="keep the state"):
        finish(method.enroll(person("kim"), State()), listener.lm)


def test_of_a_person_a_byte_a_number_is_kept():
    """Of an embedder of 384 numbers, forty records take less than 16 KB."""
    many = User("kim", tuple(reason("kim", n) for n in range(60)))
    lm = StandIn(EchoBackend(embedder=HashEmbedder(384)))
    (method,) = parse("user-prefix")
    state = finish(method.enroll(many, State(artifact="everyones")), lm)
    assert state.lineage == tuple(r.id for r in many.latest(40))
    assert state.nbytes <= 16_000
    whole = lm.embed([f"{r.input} {r.output}" for r in many.latest(40)])
    mine = state.arrays["vectors"] * state.arrays["scales"][:, None]
    np.testing.assert_allclose(mine, whole, atol=0.005)
