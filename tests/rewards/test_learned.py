"""Learned rewards: what must hold whoever the people are."""

import numpy as np
import pytest

from ipse.rewards import Compared, Group, LowRank, Variational
from ipse.rewards.learning import everyones, laplace, tasks

WIDTH = 6
SMALL = {
    "low-rank": LowRank(rank=2, width=WIDTH),
    "variational": Variational(latent=2, hidden=8, width=WIDTH, steps=600, rate=1e-2),
    "group": Group(heads=2, size=4, width=WIDTH, steps=300),
}


def people(count=40, pairs=60, seed=0):
    """Two camps that agree on one thing and are opposed in another."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(count):
        taste = np.array([1.0, 3.0 * (-1) ** number, 0, 0, 0, 0])
        a, b = chance.standard_normal((2, pairs, WIDTH))
        first = chance.random(pairs) < 1 / (1 + np.exp(-(a - b) @ taste))
        swap = ~first[:, None]
        found.append(Compared.of(np.where(swap, b, a), np.where(swap, a, b)))
    return found


@pytest.fixture(scope="module", params=SMALL)
def learned(request):
    learner = SMALL[request.param]
    return learner, learner.fit(people())


def right(learner, shared, own, asked):
    better, worse = (learner.reward(shared, own, part) for part in (asked.chosen, asked.rejected))
    return (better > worse).mean()


def test_no_pairs_give_the_populations_reward(learned):
    learner, shared = learned
    nothing = learner.infer(shared, people()[0].some(slice(0, 0)))
    texts = np.random.default_rng(1).standard_normal((9, WIDTH))
    assert np.allclose(learner.reward(shared, nothing, texts), texts @ shared["mean"], atol=1e-5)


def test_a_persons_own_pairs_tell_their_later_ones_better_than_the_population_does(learned):
    learner, shared = learned
    gains = []
    for new in people(12, seed=5):
        own = learner.infer(shared, new.some(slice(0, 30)))
        nobody = learner.infer(shared, new.some(slice(0, 0)))
        later = new.some(slice(30, None))
        gains.append(right(learner, shared, own, later) - right(learner, shared, nobody, later))
    assert np.mean(gains) > 0.1


def test_the_same_is_learned_again(learned):
    learner, shared = learned
    again = learner.fit(people())
    assert all((shared[name] == again[name]).all() for name in shared)


def test_texts_are_rewarded_alone_as_in_company(learned):
    learner, shared = learned
    own = learner.infer(shared, people()[3])
    texts = np.random.default_rng(2).standard_normal((5, WIDTH))
    alone = np.concatenate([learner.reward(shared, own, texts[n : n + 1]) for n in range(5)])
    assert np.allclose(alone, learner.reward(shared, own, texts), atol=1e-12)


def test_one_person_with_one_pair_is_enough_to_begin(learned):
    learner, _ = learned
    one = people()[0].some(slice(0, 1))
    shared = learner.fit([one])
    assert np.isfinite(learner.reward(shared, learner.infer(shared, one), one.chosen)).all()


def test_another_answer_is_learned_online_as_if_all_were_learned_at_once():
    learner, own = SMALL["low-rank"], people(1, 200, seed=7)[0]
    shared = learner.fit(people())
    known = learner.infer(shared, own.some(slice(0, 150)))
    for place in range(150, 200):
        known = learner.update(shared, known, own.some(slice(place, place + 1)))
    at_once = learner.infer(shared, own)
    assert known.keys() == at_once.keys()
    assert all(np.allclose(known[name], at_once[name], atol=1e-5) for name in known)


def test_more_answers_make_surer():
    learner, own = SMALL["low-rank"], people(1, 100, seed=8)[0]
    shared = learner.fit(people())
    unsure = [
        np.trace(learner.infer(shared, own.some(slice(0, n)))["covariance"])
        for n in (0, 5, 20, 100)
    ]
    assert unsure == sorted(unsure, reverse=True)


def test_a_tie_draws_two_texts_together():
    learner, own = SMALL["low-rank"], people(1, 30, seed=9)[0]
    shared = learner.fit(people())
    one, other = np.zeros((1, WIDTH)), np.zeros((1, WIDTH))
    one[0, 1] = 2
    tie = Compared.of(one, other, [True])
    apart = []
    for ties in (0, 20):
        pairs = [own, *[tie] * ties]
        both = Compared(
            *(np.concatenate([getattr(p, f) for p in pairs]) for f in ("chosen", "rejected", "tie"))
        )
        liked = learner.reward(shared, learner.infer(shared, both), np.concatenate([one, other]))
        apart.append(abs(liked[0] - liked[1]))
    assert apart[1] < apart[0] / 2


def test_laplace_is_where_the_slope_is_nothing():
    chance = np.random.default_rng(3)
    apart, prior = chance.standard_normal((50, 4)), np.diag([1.0, 2.0, 3.0, 4.0])
    target, offset = chance.random(50), chance.standard_normal(50)
    found, _ = laplace(apart, target, offset, prior)
    likely = 1 / (1 + np.exp(-(offset + apart @ found)))
    assert np.allclose(apart.T @ (target - likely), prior @ found, atol=1e-8)
    elsewhere, _ = laplace(apart, target, offset, prior, start=np.full(4, 9.0))
    assert np.allclose(found, elsewhere, atol=1e-8)


def test_everyones_reward_finds_what_all_agree_on():
    mean = everyones(people(), ridge=1.0)
    assert mean[0] > 0.3
    assert abs(mean[1]) < mean[0] / 2


@pytest.mark.parametrize("kind", ["variational", "group"])
def test_slopes_are_those_of_the_loss(kind):
    learner = SMALL[kind]
    learned = learner._begin(WIDTH)
    chance = np.random.default_rng(4)
    learned = {n: a + 0.1 * chance.standard_normal(a.shape) for n, a in learned.items()}
    (task,) = tasks(people(5), 1, 3, 7, 4, seed=0)
    mean, drawn = chance.standard_normal(WIDTH), chance.standard_normal((3, 2))

    def loss(arrays):
        more = (drawn,) if kind == "variational" else ()
        return learner.loss(arrays, mean, task, *more)

    _, slopes = loss(learned)
    assert slopes.keys() == learned.keys()
    for name, array in learned.items():
        for place in list(np.ndindex(array.shape))[:: max(1, array.size // 5)]:
            around = []
            for sign in (1, -1):
                moved = {**learned, name: array.copy()}
                moved[name][place] += sign * 1e-5
                around.append(loss(moved)[0])
            assert slopes[name][place] == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-8)
