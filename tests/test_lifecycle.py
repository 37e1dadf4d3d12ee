"""The life of what is trained: never on a question's path, many together, kept as it comes."""

from __future__ import annotations

import multiprocessing
import os
import signal

import numpy as np
import pytest

from ipse import Ipse
from ipse.backends.local import LocalBackend
from ipse.job import Trained
from ipse.lifecycle import PREVIOUS, Lifecycle
from ipse.meter import Meter
from ipse.methods import parse
from ipse.records import User
from ipse.store import Store
from tests.people import StandIn, echo, person, reason

FORK = multiprocessing.get_context("fork")
(OWN,) = parse("user-adapter:gate=false,refresh=2")
(VECTOR,) = parse("steer")
ADAPTER = "user-adapter:gate=false,refresh=2"


class Trains(StandIn):
    """A stand-in that writes down who it trained for, and may be interrupted while it does."""

    def __init__(self, meanwhile=lambda _: None):
        super().__init__(echo())
        self.rounds: list[list[str]] = []
        self.scratch: list[str] = []
        self.forgotten = 0
        self.meanwhile = meanwhile

    def train(self, jobs, on_progress=None, scratch=None):
        self.rounds.append([job.examples[0].owner for job in jobs])
        self.scratch.append(sorted(path.name for path in scratch.glob("half-*")))
        (scratch / f"half-{len(self.rounds)}").write_text("half learned")
        for done in range(3):
            if on_progress:
                on_progress(done * 100 * len(jobs), 200 * len(jobs))
        self.meanwhile(self)
        return [
            Trained({"x": np.full(3, len(job.examples), np.float32)}, {"updates": 1})
            for job in jobs
        ]

    def forget(self):
        self.forgotten += 1


class Dear(StandIn):
    """A stand-in that nobody may ask to learn or to write while a question waits."""

    def __init__(self):
        super().__init__(echo())
        self.train = self.fit_steering = self.generate = self.hidden = None


@pytest.fixture
def local(pico):
    """A backend on the random tiny model that is nobody else's."""
    lm = LocalBackend(pico.model)
    yield lm
    lm.close()


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "ipse.db") as store:
        yield store


def everyone(count):
    return [f"user {n:02}" for n in range(count)]


def fill(store, count=20, answers=4):
    for name in everyone(count):
        store.add(reason(name, n) for n in range(answers))


def left_half(tmp_path):
    return list((tmp_path / "ipse.db.scratch").glob("half-*"))


# A question is answered with what there is.


@pytest.mark.parametrize("methods", ["steer", "style-vector", ADAPTER, "plora", "bm25+steer"])
def test_nothing_is_trained_while_a_question_waits(store, methods):
    store.add(person().records)
    with Ipse(store, Dear(), methods=methods) as me:
        plan = me.plan("ada", "Why plastic bottles?")
        assert not plan.main.steering
        assert not plan.main.adapters
        assert bool(plan.evidence) == ("bm25" in methods)


def test_what_was_trained_serves_though_there_are_newer_records(store):
    store.add(person().records)
    with Ipse(store, StandIn(echo()), methods="steer") as me:
        (kept,) = me.enroll("ada")
        store.add([reason("ada", 90)])
    with Ipse(store, Dear(), methods="steer") as me:
        for _ in range(2):  # the second time from the cache
            plan = me.plan("ada", "Why?")
            assert [s.name for s in plan.main.steering] == [kept.state.artifact]
            assert plan.states == (kept.id,)


def test_what_knows_more_than_a_view_may_does_not_serve(store):
    user = person()
    store.add(user.records)
    life = Lifecycle(store, StandIn(echo()))
    kept = life.enroll(VECTOR, user)
    assert life.current(VECTOR, user).id == kept.id
    assert life.current(VECTOR, User("ada", user.records[:-1])) is None
    assert life.current(VECTOR, User("ada")) is None


def test_what_was_made_from_another_state_of_everyones_does_not_serve(store):
    fill(store, 3)
    life = Lifecycle(store, Trains())
    first = life.fit(OWN)
    user = store.user("user 00")
    own = life.enroll(OWN, user)
    assert own.parents == (first.id,)
    assert life.current(OWN, user).id == own.id
    store.add([reason("user 01", 50)])
    second = life.fit(OWN)
    assert life.current(OWN, user).id == second.id  # until they are enrolled again
    assert [s.id for s in store.states() if s.previous] == [first.id]
    life.refresh(OWN, ["user 00"])
    assert life.current(OWN, user).parents == (second.id,)


def test_a_newcomer_is_served_by_what_everyone_learned(store):
    fill(store, 2)
    store.add([reason("newcomer", 1)])
    with Ipse(store, Trains(), methods=ADAPTER) as me:
        (shared,) = me.fit()
        for _ in range(2):
            plan = me.plan("newcomer", "Why?")
            assert [a.name for a in plan.main.adapters] == [shared.state.artifact]
            assert plan.states == (shared.id,)
        (own,) = me.enroll("newcomer")
        plan = me.plan("newcomer", "Why?")
        wanted = [shared.state.artifact, own.state.artifact]
        assert [a.name for a in plan.main.adapters] == wanted
        assert plan.states == (own.id,)
        assert not me.plan("nobody", "Why?").main.adapters


# Learning what is missing.


def test_many_people_learn_together_and_once(store, tmp_path):
    fill(store)
    lm = Trains()
    life = Lifecycle(store, lm)
    kept = life.refresh(OWN)
    assert [len(names) for names in lm.rounds] == [8, 8, 4]
    assert [saved.key.user for saved in kept] == everyone(20)
    assert all(saved.state.arrays == {} for saved in kept)
    assert life.refresh(OWN) == []
    assert len(lm.rounds) == 3
    assert left_half(tmp_path) == []


def test_only_who_has_news_learns_again_and_together(store):
    fill(store)
    lm = Trains()
    life = Lifecycle(store, lm)
    life.refresh(OWN)
    store.add(reason(name, 50 + n) for name in ("user 03", "user 17") for n in range(3))
    store.add(reason("newcomer", n) for n in range(4))
    del lm.rounds[:]
    kept = life.refresh(OWN)
    assert lm.rounds == [["newcomer", "user 03", "user 17"]]
    assert {saved.key.user for saved in kept} == {"newcomer", "user 03", "user 17"}
    assert life.refresh(OWN, anew=True)
    assert sum(map(len, lm.rounds)) == 3 + 21


def test_what_replaced_another_leaves_it_to_go_back_to(store):
    store.add(person().records)
    life = Lifecycle(store, StandIn(echo()))
    (index,) = parse("bm25")
    for n in range(PREVIOUS + 3):
        store.add([reason("ada", 60 + n, output=f"a new thing {n}")])
        for method in (VECTOR, index):
            life.enroll(method, store.user("ada"))
    found = {(s.key.method, s.previous) for s in store.states()}
    assert found == {("steer", True), ("steer", False), ("bm25", False)}
    assert sum(s.previous for s in store.states()) == PREVIOUS


def test_a_version_that_was_gone_back_to_serves(store):
    store.add(person().records)
    with Ipse(store, StandIn(echo()), methods="steer") as me:
        (old,) = me.enroll("ada")
        store.add([reason("ada", 60, output="something new")])
        (new,) = me.enroll("ada")
        assert me.plan("ada", "Why?").states == (new.id,)
        store.rollback(old.id)
        assert me.plan("ada", "Why?").states == (old.id,)
        me.forget("ada", old.state.lineage[0])
        assert me.plan("ada", "Why?").states == ()
        assert store.states() == []


def test_a_damaged_artefact_is_made_anew(store, tmp_path):
    fill(store, 2)
    life = Lifecycle(store, Trains())
    life.refresh(OWN)
    store.add(reason("user 00", 50 + n) for n in range(3))
    for path in (tmp_path / "ipse.db.artifacts").glob("*.safetensors"):
        path.write_bytes(b"damaged")
    (kept,) = life.refresh(OWN)
    assert life.current(OWN, store.user("user 00")).id == kept.id


def die(lm):
    if len(lm.rounds) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def learn_until_killed(path):
    with Store.open(path) as store:
        Lifecycle(store, Trains(die)).refresh(OWN)


def test_killed_in_the_middle_of_20_people_the_next_run_does_what_is_missing(tmp_path):
    path = tmp_path / "ipse.db"
    with Store.open(path) as store:
        fill(store)
    child = FORK.Process(target=learn_until_killed, args=(path,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with Store.open(path) as store:
        finished = {s.key.user for s in store.states()}
        assert finished == set(everyone(8))
        for name in finished:
            assert Lifecycle(store, Trains()).current(OWN, store.user(name)) is not None
        assert len(left_half(tmp_path)) == 1
        lm = Trains()
        Lifecycle(store, lm).refresh(OWN)
        assert lm.rounds == [everyone(20)[8:16], everyone(20)[16:]]
        assert lm.scratch[0] == ["half-2"]  # it goes on with what was half done
        assert {s.key.user for s in store.states()} == set(everyone(20))
        assert left_half(tmp_path) == []


def test_what_is_forgotten_while_it_is_trained_on_is_kept_of_nobody(store, tmp_path):
    fill(store, 3)
    gone = store.user("user 01").records[0]

    def meanwhile(lm):
        if len(lm.rounds) == 1:
            store.forget_record(gone.id)
            assert left_half(tmp_path) == []

    lm = Trains(meanwhile)
    life = Lifecycle(store, lm)
    assert [saved.key.user for saved in life.refresh(OWN)] == ["user 00", "user 02"]
    assert lm.forgotten == 1  # what the model learned of it goes, too
    (late,) = life.refresh(OWN)
    assert late.key.user == "user 01"
    assert gone.id not in late.state.lineage


def test_a_person_forgotten_before_their_turn_is_passed_over(store):
    fill(store, 12)
    life = Lifecycle(store, Trains(lambda lm: len(lm.rounds) == 1 and store.forget_user("user 09")))
    assert {saved.key.user for saved in life.refresh(OWN)} == {*everyone(12)} - {"user 09"}


def test_one_who_learns_nothing_costs_nothing(store, monkeypatch):
    fill(store, 3)
    monkeypatch.setattr(store, "user", None)
    assert Lifecycle(store, Trains()).refresh(parse("recent")[0]) == []


def test_it_says_how_far_it_is(store):
    fill(store)
    told = []
    Lifecycle(store, Trains()).refresh(OWN, told=lambda what, share: told.append((what, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert 0.2 in shares  # half of the first 8 of 20
    assert told[-1][0] == "user-adapter: 20 of 20 people"


def test_short_rounds_beside_long_ones_do_not_say_how_far_it_is():
    told = []
    meter = Meter("x", 10, lambda _, share: told.append(share))
    meter.begin(5)
    for done, total in ((5, 5), (0, 500), (250, 500), (5, 5)):
        meter(done, total)
    meter.begin(5)
    meter(1, 5)
    assert told == [0.0, 0.5, 0.0, 0.25, 0.5]


def test_a_fit_that_trains_has_a_place_for_what_is_half_learned(store, tmp_path):
    fill(store, 3)
    lm = Trains()
    assert Lifecycle(store, lm).fit(OWN)
    assert lm.scratch == [[]]
    assert left_half(tmp_path) == []


# Through the engine.


def test_the_engine_refreshes_one_or_everybody(store):
    fill(store, 3)
    told = []
    with Ipse(store, Trains(), methods=f"bm25+{ADAPTER}") as me:
        one = me.refresh("user 01")
        assert [saved.key.method for saved in one] == ["bm25", "user-adapter"]
        every = me.refresh(told=lambda what, share: told.append((what, share)))
        assert {saved.key.user for saved in every} == {"user 00", "user 02"}
        assert [m.name for m, saved in me.known("user 00") if saved] == ["bm25", "user-adapter"]
        assert [saved for _, saved in me.known(None)] == [None, None]
    assert told[-1][1] == 1.0
    assert [share for _, share in told] == sorted(share for _, share in told)


def test_the_engine_lets_the_model_forget(store):
    store.add(person().records)
    lm = Trains()
    with Ipse(store, lm, methods="bm25") as me:
        me.forget("ada", person().records[0].id)
        me.replace(person().records[1].id, reason("ada", 70, output="instead"))
        assert lm.forgotten == 2
        assert "instead" in [r.output for r in store.user("ada").records]
        me.forget("ada")
        assert lm.forgotten == 3


def test_what_is_forgotten_while_an_answer_is_written_does_not_stay_in_the_model(store):
    store.add(person().records)
    lm = Trains()
    with Ipse(store, lm, methods="bm25") as me:
        generate = lm.generate

        def slowly(plans):
            me.forget("ada", person().records[-1].id)
            return generate(plans)

        lm.generate = slowly
        me.ask("ada", "Why?")
        assert lm.forgotten == 2
        pieces = me.stream("ada", "Why?")
        next(pieces)
        me.forget("ada", person().records[-2].id)
        pieces.close()
        assert lm.forgotten == 4


def test_what_is_erased_is_gone_from_every_place(local, tmp_path):
    """Records, states, versions, artefacts, half-learned things, caches and the model's memory."""
    path = tmp_path / "ipse.db"
    with Ipse(path, local, methods=f"recent+{ADAPTER}") as me:
        me.add(reason(name, n) for name in ("ada", "bob") for n in range(6))
        me.refresh()
        me.add(reason("ada", 20 + n, output="a xylophone is the reason") for n in range(3))
        me.refresh()
        me.store.scratch.folder().joinpath("half").write_text("xylophone")
        adas = {s.artifact for s in me.store.states("ada")}
        assert len(adas) == 2
        local.generate([me.plan("ada", "Why?")])
        place = local._place()
        assert place.attachments.nbytes > 0
        secret = next(r for r in me.store.user("ada").records if "xylophone" in r.output)
        me.forget("ada", secret.id)
        left = {s.artifact for s in me.store.states("ada")}
        assert len(left) == 1  # the version of before there was the secret
        assert me.plan("ada", "Why?").main.adapters == ()
        me.forget("ada")
        files = {file.stem for file in (tmp_path / "ipse.db.artifacts").rglob("*.safetensors")}
        assert files == {s.artifact for s in me.store.states("bob")}
        everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        assert b"xylophone" not in everything
        assert (place.attachments.nbytes, place.runner.beginnings.nbytes) == (0, 0)
        assert len(local._trainer._kept._items) == 0
        assert me.plan("bob", "Why?").main.adapters


def test_a_killed_training_leaves_no_artefact(tmp_path):
    path = tmp_path / "ipse.db"
    with Store.open(path) as store:
        fill(store, 3)

    def kill(path):
        with Store.open(path) as store:
            Lifecycle(store, Trains(lambda _: os.kill(os.getpid(), signal.SIGKILL))).refresh(OWN)

    child = FORK.Process(target=kill, args=(path,))
    child.start()
    child.join()
    with Store.open(path) as store:
        assert store.states() == []
    assert list((tmp_path / "ipse.db.artifacts").rglob("*.safetensors")) == []


def test_a_training_that_was_cut_short_goes_on_to_the_same_adapter(local, tmp_path, monkeypatch):
    monkeypatch.setattr("ipse.backends.local.training.checkpoint._EVERY", 0.0)
    monkeypatch.setattr("ipse.backends.local.training.checkpoint._SHARE", 1e9)
    (method,) = parse("user-adapter:gate=false,epochs=6,rank=2,batch=1")
    learned = []
    for name in ("whole", "cut"):
        with Store.open(tmp_path / f"{name}.db") as store:
            fill(store, 2, answers=6)
            life, shares = Lifecycle(store, local), []
            local.forget()

            def told(_, share, shares=shares, name=name):
                shares.append(share)
                if name == "cut" and share > 0.5:
                    raise KeyboardInterrupt

            if name == "cut":
                with pytest.raises(KeyboardInterrupt):
                    life.refresh(method, told=told)
                assert store.states() == []
                assert list((tmp_path / "cut.db.scratch").glob("training-*"))
                local.forget()
            again = []
            life.refresh(method, told=lambda _, share, again=again: again.append(share))
            assert (again[1] > 0.4) == (name == "cut")  # it did not begin anew
            assert list((tmp_path / f"{name}.db.scratch").iterdir()) == []
            learned.append([s.artifact for s in store.states()])
    assert learned[0] == learned[1]
