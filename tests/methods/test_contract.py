"""What every method promises, whichever it is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from ipse.engine import Ipse
from ipse.lifecycle import Lifecycle
from ipse.methods import METHODS, PRESETS, Learned, parse, personalize, spec
from ipse.plan import Fusion, Plan, Sampling
from ipse.records import User
from ipse.store import Store
from tests.people import START, Both, StandIn, echo, person, reason

ALIKE = {
    "cipher-lexical",  # says nothing of the test's people; see test_words.py
    "lightcosteer",
    "linear-alignment",
    "oppu",
}  # other numbers in the same plan: not worth the time
EVERY = sorted([*METHODS, *(PRESETS.keys() - ALIKE), "facets+recent:k=2+profile"])
EVERY[EVERY.index("best-of-n")] = "best-of-n:n=5"
EVERY[EVERY.index("cipher")] = "cipher:own=8"  # the test's people edited nothing
EVERY[EVERY.index("fermi")] = "fermi:gate=false,rounds=1,limit=20"  # here, none beats no prompt
SMALL = "recipe=prompts=1;answers=2;tokens=4;epochs=1"  # the random tiny model learns slowly
EVERY[EVERY.index("modpo")] = f"modpo:vectors=1 0;0 1,{SMALL}"
EVERY[EVERY.index("morlhf")] = f"morlhf:vectors=1 0;0 1,rounds=2,{SMALL}"
EVERY[EVERY.index("rewards-in-context")] = f"rewards-in-context:{SMALL}"
for name in ("mod", "rewarded-soup"):  # the random tiny model learns little, slowly
    EVERY[EVERY.index(name)] = f"{name}:recipe=prompts%3D1;answers%3D2;tokens%3D4;epochs%3D1"
EVERY[EVERY.index("drift")] = "drift:pairs=4,tokens=4"
EVERY[EVERY.index("random")] = "random:k=13"  # most of what there is: chance decides little
EVERY[EVERY.index("full")] = "full:budget=60"  # the tiny model reads little
EVERY[EVERY.index("steer")] = "steer:layer=1,steps=4"  # the random tiny model has two layers
EVERY[EVERY.index("style-vector")] = "style-vector:layers=1"
for name in ("group-preference", "low-rank-reward", "variational-preference"):  # they choose alone
    EVERY[EVERY.index(name)] = f"best-of-n:n=5,reward=none+{name}"
EVERY.append("user-adapter:gate=false")  # with the gate, so few records get no adapter
(GOES_ON,) = parse(EVERY[-1])
QUESTION = Plan.ask("Which argument about plastic bottles is better? Say why.")
SECRET = "xylophone"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An empty store's file: copying it is faster than making one."""
    path = tmp_path_factory.mktemp("empty") / "ipse.db"
    Store.open(path).close()
    return path


@pytest.fixture
def life(tmp_path, empty):
    shutil.copy(empty, tmp_path)
    with Store.open(tmp_path / "ipse.db") as store:
        lm = StandIn(echo())
        lm.attach(store.arrays)
        yield Life(store, lm, tmp_path / "ipse.db")


@dataclass(frozen=True)
class Life(Lifecycle):
    """A life cycle whose store can be looked into."""

    store_path: Path


@pytest.fixture(params=EVERY)
def methods(request):
    return parse(request.param)


def learn(life, methods, user):
    saved = [up_to_date(life, method, user) for method in methods]
    return [Learned.of(method, one) for method, one in zip(methods, saved, strict=True)]


def up_to_date(life, method, user):
    """Give what a method knows of a person; where it trains, once it was enrolled by hand."""
    known = life.known(method, user)
    if method.trains and not (known and known.state.seen == user.allowing(method.use).fingerprint):
        return life.enroll(method, user)
    return life.current(method, user)


def add(life, methods, *users):
    for user in users:
        life.store.add(user.records)
    for method in methods:
        life.fit(method)


def applied(life, methods, user, plan=QUESTION):
    learned = learn(life, methods, user)
    return personalize(plan, user.allowing("prompt"), learned, life.lm)


def test_it_makes_the_plan_personal(life, methods):
    add(life, methods, person())
    plan = applied(life, methods, person())
    assert plan.streams != QUESTION.streams or plan.candidates > 1
    assert plan.evidence or plan.states
    assert plan.generic is None
    assert plan.needs <= frozenset().union(*(method.needs for method in methods))


def test_without_records_the_plan_stays_the_same(life, methods):
    assert applied(life, methods, User("nobody")) is QUESTION


def test_strength_0_is_the_generic_plan(life, methods):
    add(life, methods, person())
    generic = replace(QUESTION, strength=0.0)
    assert applied(life, methods, person(), generic) is generic


def test_between_0_and_1_it_is_on_the_way_from_the_generic_model(life, methods):
    add(life, methods, person())
    whole = applied(life, methods, person())
    plan = applied(life, methods, person(), replace(QUESTION, strength=0.25))
    if only_steered(whole):
        assert [s.scale for s in plan.main.steering] == [s.scale / 4 for s in whole.main.steering]
        return
    if whole.candidates > 1:
        assert (plan.candidates, plan.streams) == (1 + (whole.candidates - 1) // 4, whole.streams)
        return
    assert plan.others[-1] == QUESTION.main
    if whole.fusion is None:
        assert plan.fusion == Fusion("linear", (0.25, 0.75))
    elif whole.fusion.kind == "linear":  # the generic reading has what is left of all weight
        weights = tuple(weight / 4 for weight in whole.fusion.weights[:-1])
        assert whole.fusion.weights[-1] == 0
        assert plan.fusion == Fusion("linear", (*weights, 0.75))
    else:
        weights = tuple(weight / 4 for weight in whole.fusion.weights[:-1])
        assert plan.fusion == replace(whole.fusion, weights=(*weights, 1.0))


def test_the_plan_is_inert_and_the_same_again(life, methods):
    add(life, methods, person())
    plan = applied(life, methods, person())
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert applied(life, methods, person()) == plan


def test_evidence_is_the_persons_own(life, methods):
    add(life, methods, person())
    plan = applied(life, methods, person())
    assert set(plan.evidence) <= {record.id for record in person().records}


def test_nobody_elses_data_changes_the_plan(life, methods):
    add(life, methods, person())
    before = applied(life, methods, person())
    private = frozenset({"prompt", "train"})
    others = [
        User(name, tuple(replace(r, uses=private, id="") for r in person(name).records))
        for name in ("bob", "eve")
    ]
    add(life, methods, *others)
    after = applied(life, methods, person())
    assert replace(after, states=()) == replace(before, states=())


def test_what_may_not_be_read_is_not_read(life, methods):
    hidden = reason("ada", 99, output=f"Plastic bottles {SECRET}", uses=frozenset({"train"}))
    user = User("ada", (*person().records, hidden))
    add(life, methods, user)
    plan = applied(life, methods, user)
    assert SECRET not in json.dumps(plan.to_json())


def test_the_future_is_not_read(life, methods):
    later = reason("ada", 99, output=f"Plastic bottles {SECRET}")
    user = User("ada", (*person().records, later))
    add(life, methods, user)
    plan = applied(life, methods, user.before(later.time))
    assert SECRET not in json.dumps(plan.to_json())
    assert later.id not in plan.evidence


def test_a_forgotten_record_is_in_no_state(life, methods):
    told = f"{SECRET} " * 3 + "is what I always say of plastic bottles"
    records = tuple(reason("ada", 50 + n, output=told) for n in range(3))
    user = User("ada", (*person().records, *records))
    add(life, methods, user)
    assert knows(applied(life, methods, user))
    for record in records:
        life.store.forget_record(record.id, "ada")
        assert not mentions(life.store_path, record.id)
    left = life.store.user("ada")
    assert SECRET not in json.dumps(applied(life, methods, left).to_json())


def test_an_earlier_view_is_never_answered_with_later_records(life, methods):
    """Also where the person was enrolled on everything before, and views are of equal size."""
    later = tuple(reason("ada", 50 + n, output=f"Plastic bottles {SECRET}") for n in range(5))
    user = User("ada", (*person().records, *later))
    add(life, methods, user)
    applied(life, methods, user)
    for view in (user.before(later[0].time), User("ada", user.records[:5])):
        plan = applied(life, methods, view)
        assert SECRET not in json.dumps(plan.to_json())
        assert view.holds(plan.evidence)
    assert User("ada", user.records[-5:]).holds(
        applied(life, methods, User("ada", user.records[-5:])).evidence
    )


def test_it_says_the_same_through_the_engine_and_its_caches_forget(life, methods, tmp_path):
    told = tuple(reason("ada", 50 + n, output=f"{SECRET} plastic bottles " * 4) for n in range(3))
    with Ipse(life.store, life.lm) as me:
        me.add((*person().records, *told))
        me.fit(spec(methods))
        user = life.store.user("ada")
        me.refresh("ada", spec(methods))
        ask = QUESTION.main.question
        plan = me.plan("ada", ask, methods=spec(methods))
        assert replace(plan, states=()) == replace(applied(life, methods, user), states=())
        assert knows(plan)
        for record in told:
            me.forget("ada", record.id)
        assert told[0].id not in json.dumps(cached(me))
        plan = me.plan("ada", ask, methods=spec(methods))
        assert SECRET not in json.dumps(plan.to_json())
        me.forget("ada")
        assert cached(me) == []


def cached(me):
    """The ids of all records that the engine's caches know of."""
    views = [view.records for _, (_, view) in me._views._people._items.values()]
    states = [saved.state.lineage for _, (_, saved) in me._views._states._items.values()]
    states += [saved.state.lineage for _, saved in me._lifecycle._everyones._items.values()]
    return [record.id for view in views for record in view] + [name for s in states for name in s]


def mentions(path, record_id):
    """Whether any state, current or not, was made from a record."""
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT count(*) FROM lineage WHERE record = ?"
        return database.execute(query, (record_id,)).fetchone()[0]


def test_forgetting_a_person_leaves_no_state_of_theirs(life, methods):
    add(life, methods, person("ada"), person("bob"))
    learn(life, methods, person("ada"))
    learn(life, methods, person("bob"))
    life.store.forget_user("ada")
    assert all(summary.key.user != "ada" for summary in life.store.states())
    assert not any(mentions(life.store_path, record.id) for record in person("ada").records)


def test_many_at_once_learn_what_each_learns_alone(life, methods):
    people = [person(name, 8 + 3 * n) for n, name in enumerate(("ada", "bob", "eve"))]
    add(life, methods, *people)
    for method in methods:
        together = life.enroll_all(method, people)
        alone = [life.enroll(method, user) for user in people]
        for one, other in zip(together, alone, strict=True):
            assert same(one, other)


def test_an_update_gives_what_enrolling_anew_gives(life, methods):
    user = person()
    add(life, methods, user)
    learn(life, methods, user)
    new = tuple(reason("ada", 30 + n) for n in range(40))
    life.store.add(new)
    grown = life.store.user("ada")
    for method in methods:
        life.refresh(method, ["ada"])
        updated, anew = life.current(method, grown), life.enroll(method, grown)
        if method == GOES_ON:  # from where it was: it has learned from more than who begins anew
            assert set(updated.state.lineage) >= set(anew.state.lineage)
        else:
            assert same(updated, anew)


def test_a_kept_state_serves_as_the_one_just_made(life, methods):
    add(life, methods, person())
    first = applied(life, methods, person())
    assert applied(Lifecycle(life.store, life.lm), methods, person()) == first


def test_its_spec_reads_back(methods):
    assert parse(spec(methods)) == methods


def test_a_batch_gives_what_one_by_one_gives(life, methods, pico):
    add(life, methods, person("ada"), person("bob"))
    life = running(life, pico, methods)
    plans = [applied(life, methods, person(name), short(QUESTION)) for name in ("ada", "bob")]
    together = pico.generate([*plans, short(QUESTION)])
    assert together == [pico.generate([plan])[0] for plan in (*plans, short(QUESTION))]


def test_strength_0_gives_the_generic_text_token_for_token(life, methods, pico):
    add(life, methods, person())
    life = running(life, pico, methods)
    generic = pico.generate([short(QUESTION)])
    plan = applied(life, methods, person(), replace(short(QUESTION), strength=1e-9))
    assert plan.others or plan.main.steering or plan == replace(short(QUESTION), strength=1e-9)
    assert pico.generate([plan])[0].text == generic[0].text


def running(life, pico, methods):
    """A life cycle of the same store, with a model that runs, on which weights are trained."""
    pico.attach(life.store.arrays)
    life = Lifecycle(life.store, Both(pico, life.lm))
    for method in methods:
        life.fit(method)
    return life


def knows(plan):
    """Whether a plan tells the secret, or leans on a state that may."""
    main = plan.main
    attached = main.steering or main.adapters or main.prefix
    weighed = plan.candidates > 1 or (plan.fusion and plan.fusion.kind == "shift")
    told = main.messages[0].role == "system" and not plan.evidence  # in words of a state's own
    leans = plan.states and (weighed or told)
    return SECRET in json.dumps(plan.to_json()) or attached or leans


def only_steered(plan):
    """Whether nothing but hidden states are changed."""
    return plan.main.steering and replace(plan.main, steering=()) == QUESTION.main


def short(plan):
    return replace(plan, sampling=Sampling(max_tokens=6))


def same(one, other):
    """Whether two states say the same."""
    if one is None or other is None:
        return one is other
    a, b = one.state, other.state
    return (
        a.facts == b.facts
        and a.lineage == b.lineage
        and a.seen == b.seen
        and a.arrays.keys() == b.arrays.keys()
        and all((a.arrays[name] == b.arrays[name]).all() for name in a.arrays)
    )


def test_time_of_people_is_as_the_tests_assume():
    assert person().records[0].time == START
    assert person().records[-1].time == START + timedelta(hours=12)
