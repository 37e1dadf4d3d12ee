"""Methods that are built from many people's records: what is new serves people who are new."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipse.backends.echo import EchoBackend
from ipse.engine import Ipse
from ipse.errors import InvalidPlan
from ipse.job import Gates, Hypernetwork, Lora
from ipse.lm import Embed, Hold, Likelihood, Score, Train
from ipse.methods import finish, parse
from ipse.methods.embedded import central
from ipse.methods.pieces import recipe
from ipse.methods.trust import mixed, shares
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


# Pieces.

PIECES = (
    "pieces:task=records=12;epochs=4;rate=0.01,records=12,epochs=12,k=2,sharers=4,alpha=16,"
    f"gate_rate=0.1,{FAST}"
)


def test_pieces_of_others_serve_a_new_person(me):
    everyones, ada, bob = learn(me, PIECES, *NEW)
    check_own_beats_other(me, PIECES, 0.1)
    index, weight = ada.arrays["pieces.index"], ada.arrays["pieces.weight"]
    assert index.shape == weight.shape == (8, 2)
    np.testing.assert_allclose(weight.astype(float).sum(1), 1, atol=2e-3)
    assert not np.array_equal(index, bob.arrays["pieces.index"])
    assert everyones.arrays["pool/model.layers.0.self_attn.q_proj.lora_A"].shape == (4, 8, 32)
    shared = {r.id for u in POPULATION for r in me.store.user(u).latest(12)}
    assert set(everyones.lineage) == shared
    assert set(ada.lineage) == {r.id for r in me.store.user("ada").latest(12)}


def test_a_recipe_takes_less_than_8_kb():
    """Of 30 layers of seven modules each, with three pieces a module."""
    chance = np.random.default_rng(0)
    paths = [f"model.layers.{layer}.m{number}" for layer in range(30) for number in range(7)]
    pool = {f"gates/{path}": chance.standard_normal((10, 16)) for path in paths}
    read = {path: chance.standard_normal(16) for path in paths}
    made = recipe(pool, read, 3)
    assert sum(array.nbytes for array in made.values()) <= 8_000
    slow = []
    for path in sorted(paths):
        gates = [(g - g.mean()) / g.std() for g in pool[f"gates/{path}"]]
        scores = [read[path] @ g / 4 for g in gates]
        best = sorted(range(10), key=lambda j: -scores[j])[:3]
        shares = np.exp([scores[j] for j in best])
        slow.append((best, shares / shares.sum()))
    assert made["pieces.index"].tolist() == [best for best, _ in slow]
    np.testing.assert_allclose(made["pieces.weight"], [s for _, s in slow], atol=1e-3)
    few = recipe({f"gates/{p}": np.zeros((2, 16)) for p in paths}, read, 3)
    assert few["pieces.index"].shape == (210, 2)
    assert np.all(few["pieces.weight"] == 0.5)


def test_sharers_train_on_top_of_everyones_adapter_and_then_gates():
    people = [person(name, 6 + n) for n, name in enumerate(("bob", "eve", "zoe", "kim", "lou"))]
    people.append(User("nobody"))
    method, state, listener = fitted("pieces:sharers=2,records=4,task=records=3,people=4", people)
    everyones, *others = jobs_of(listener)
    assert len(others) == 4
    assert [len(job.examples) for job in others] == [4] * 4
    adapters, gates = others[:2], others[2:]
    assert [type(job.learn) for job in (*adapters, *gates)] == [Lora, Lora, Gates, Gates]
    assert [job.examples for job in gates] == [job.examples for job in adapters]
    below = {a.name for job in others for e in job.examples for a in e.stream.adapters}
    assert len(below) == 1
    assert not any(e.stream.adapters for e in everyones.examples)
    assert all(job.start for job in gates)
    assert [job.schedule.epochs for job in others] == [2, 2, 1, 1]
    own = finish(method.enroll(person("new"), replace(state, artifact="all")), listener.lm)
    plan = method.apply(QUESTION, person("new"), replace(own, artifact="hers"))
    assert plan.main.adapters == (Adapter("all/shared"), Adapter("all/pool", own="hers"))
    blank = finish(method.enroll(User("blank"), replace(state, artifact="all")), listener.lm)
    assert method.apply(QUESTION, User("blank"), blank).main.adapters == (Adapter("all/shared"),)


def test_who_shares_is_nearest_to_the_centres():
    chance = np.random.default_rng(1)
    centres = np.eye(3)
    points = np.concatenate([c + 0.05 * chance.standard_normal((6, 3)) for c in centres])
    for seed in range(5):
        chosen = central(points, 3, seed)
        assert len(set(chosen)) == 3
    assert any(sorted(c // 6 for c in central(points, 3, s)) == [0, 1, 2] for s in range(5))
    assert central(points[:2], 3, 0) == [0, 1]


# Trust.

TRUSTED = f"collaborative:people=4,records=12,own=12,held=3,peers=3,epochs=6,alpha=8,rank=8,{FAST}"


@pytest.mark.parametrize("trust", ["perplexity", "predictions"])
def test_a_new_person_trusts_those_who_are_like_them(me, trust):
    methods = f"{TRUSTED},trust={trust}"
    everyones, ada, bob = learn(me, methods, *NEW)
    check_own_beats_other(me, methods)
    alike = {"ada": (0, 2), "bob": (1, 3)}  # of the population, in its order
    if trust == "perplexity":
        for user, state in (("ada", ada), ("bob", bob)):
            _, *trusted = state.facts["trust"]
            peers = parse(methods)[0]._peers(range(4))
            liked = sum(t for j, t in zip(peers, trusted, strict=True) if j in alike[user])
            assert sum(trusted) - liked < 0.05
    for state in (ada, bob):
        assert sum(state.facts["trust"]) == pytest.approx(1, abs=1e-3)
    assert {name.partition("/")[0] for name in everyones.arrays} == {"0", "1", "2", "3", "mean"}
    assert set(ada.lineage) == {r.id for r in me.store.user("ada").latest(12)}
    blank = parse(methods)[0].enroll(User("blank"), replace(everyones, artifact="all"))
    state = finish(blank, me.lm)
    plan = parse(methods)[0].apply(QUESTION, User("blank"), state)
    assert plan.main.adapters == (Adapter("all/mean"),)


def score(*logprobs):
    return Score(logprobs)


def test_trust_is_told_as_the_equations_say():
    scores = [[score(-1, -3), score(-2)], [score(-2, -2), score(-2)], [score(-5, -3), score(-1)]]
    found = shares(scores, "perplexity")
    wanted = np.exp([-np.exp(2), -np.exp(2), -np.exp(3)])
    np.testing.assert_allclose(found, wanted / wanted.sum())
    found = shares(scores, "predictions")
    apart = np.array([0, 2 / 3, 5 / 3])
    wanted = np.exp(-10 * apart / apart.sum())
    np.testing.assert_allclose(found, wanted / wanted.sum())
    np.testing.assert_allclose(shares([[score(-9999)], [score(-1)]], "perplexity"), [0, 1])
    np.testing.assert_allclose(shares([[], []], "perplexity"), [0.5, 0.5])
    np.testing.assert_allclose(shares([[score(-1)]], "predictions"), [1])


def test_a_mix_is_a_weighted_mean_of_arrays():
    one, other = ({"a": np.full((2, 2), v, np.float16), "scale": np.float32(2)} for v in (1, 3))
    found = mixed([one, other], np.array([0.25, 0.75]))
    np.testing.assert_array_equal(found["a"], np.full((2, 2), 2.5))
    assert found["a"].dtype == np.float16
    assert found["scale"] == 2


def test_trust_is_told_by_what_nothing_is_learned_from():
    people = [person(name, 6 + n) for n, name in enumerate(("bob", "eve", "zoe", "kim"))]
    text = "collaborative:people=3,records=6,held=2,peers=1,rounds=2,own=8"
    method, state, listener = fitted(text, people)
    jobs = jobs_of(listener)
    assert len(jobs) == 6
    assert [bool(job.start) for job in jobs] == [False] * 3 + [True] * 3
    asked = [ask for ask in listener.asked if isinstance(ask, Likelihood)]
    assert [len(ask.plans) for ask in asked] == [3 * 2 * 2] * 2
    learned = {e.target for job in jobs for e in job.examples}
    assert not learned & {text for ask in asked for text in ask.targets}
    assert state.facts == {"people": 3}
    assert set(state.lineage) == {r.id for user in people[:3] for r in user.latest(6)}
    listener.asked.clear()
    kept = replace(state, artifact=listener.lm.hold(state.arrays))
    steps, answer = method.enroll(person("new"), kept), None
    try:
        while True:
            answer = listener(steps.send(answer))
    except StopIteration as stop:
        own = stop.value
    first, last = jobs_of(listener)
    assert first.start == f"{kept.artifact}/mean"
    assert last.start.startswith("held-")
    assert first.examples == last.examples
    assert len(first.examples) == 6
    assert method.apply(QUESTION, person("new"), replace(own, artifact="hers")).main.adapters == (
        Adapter("hers"),
    )
