"""Which pair to ask about next."""

import numpy as np
import pytest

from ipse.errors import Unknown, UsageError
from ipse.rewards import ASKING, Belief, Compared, LowRank, ask

TEXTS = np.random.default_rng(0).standard_normal((12, 3))


def belief(own=(0.0, 0.0, 0.0), wide=1.0):
    return Belief(TEXTS, np.zeros(12), np.array(own), wide * np.eye(3))


@pytest.mark.parametrize("by", ASKING)
def test_no_pair_is_asked_twice_while_there_is_another(by):
    told = []
    for _ in range(66):
        question = ask(belief(), told, by)
        pair = (question.first, question.second)
        assert {pair, pair[::-1]}.isdisjoint(told)
        told.append(pair)
    assert ask(belief(), told, by).first >= 0  # all were told: any


def test_uncertainty_asks_about_the_least_sure_difference():
    question = ask(belief())
    everything = [belief().unsure(a, b) for a in range(12) for b in range(a)]
    assert question.unsure == pytest.approx(max(everything))


def test_elimination_asks_about_the_best_and_one_that_could_beat_it():
    question = ask(belief((1, 0, 0), 0.1), by="elimination")
    assert question.first == question.best == (TEXTS[:, 0]).argmax()


def test_who_is_sure_has_nothing_to_regret():
    wide, narrow = (ask(belief((1, 0, 0), w), by="elimination").regret for w in (1.0, 1e-8))
    assert narrow < 1e-3 < wide


def test_what_was_told_rules_out_and_contradictions_do_no_harm():
    before = ask(belief(), by="elimination").regret
    told = [(int(TEXTS[:, 0].argmax()), n) for n in range(12) if n != TEXTS[:, 0].argmax()]
    b = Belief(TEXTS, 1e-6 * TEXTS[:, 0], np.zeros(3), np.eye(3))
    assert ask(b, told, by="elimination").regret < before / 2
    assert np.isfinite(ask(b, [*told, *(pair[::-1] for pair in told)], by="elimination").regret)


def test_asking_what_is_unsure_finds_a_taste_sooner_than_asking_anything():
    chance = np.random.default_rng(1)
    shared = {"mean": np.zeros(3), "bases": np.eye(3)}
    pool, learner, found = chance.standard_normal((60, 3)), LowRank(prior=1.0), {}
    for by in ("uncertainty", "random"):
        alike = []
        for person in range(10):
            taste = np.random.default_rng([2, person]).standard_normal(3)
            own, told = learner.infer(shared, Compared.of(pool[:0], pool[:0])), []
            for turn in range(6):
                known = Belief(pool, np.zeros(60), own["own"], own["covariance"])
                pair = ask(known, told, by, seed=turn)
                a, b = sorted((pair.first, pair.second), key=lambda n: -(pool[n] @ taste))
                told.append((a, b))
                own = learner.update(shared, own, Compared.of(pool[[a]], pool[[b]]))
            alike.append(own["own"] @ taste / np.linalg.norm(own["own"]) / np.linalg.norm(taste))
        found[by] = np.mean(alike)
    assert found["uncertainty"] > found["random"]


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(UsageError, match="two of several texts; got 1"):
        ask(Belief(TEXTS[:1], np.zeros(1), np.zeros(3), np.eye(3)))
    with pytest.raises(Unknown, match="unknown way to ask 'chance'"):
        ask(belief(), by="chance")
