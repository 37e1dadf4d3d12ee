"""Learned rewards, measured: on people whose tastes are known, so that what comes out is known."""

import csv
import gzip

import numpy as np
import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.preferences import (
    Alone,
    Contestant,
    Crowd,
    Everyones,
    Judge,
    asked_about,
    choices,
    compare_learners,
    films,
    reasons,
    regrets,
    ties,
)
from ipse.importers import sample_path
from ipse.rewards import LowRank

WIDTH = 4
LOW_RANK = LowRank(rank=2, width=WIDTH, prior=1.0)
LEARNERS = {
    "global": (Everyones(WIDTH),),
    "alone": (Alone(1.0, WIDTH), Alone(1e6, WIDTH)),
    "low-rank": (LOW_RANK,),
}


def crowd(*, camps=True, people=30, texts=120):
    """People who agree on one thing and, if there are camps, are opposed in another."""
    chance = np.random.default_rng(0)
    features = chance.standard_normal((texts, WIDTH))
    judges = []
    for n in range(people):
        taste = np.array([1.0, 3.0 * (-1) ** n if camps else 0.0, 0, 0])
        pairs = chance.integers(0, texts, (80, 2))
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        liked = features[pairs] @ taste
        pairs = np.where((liked[:, 0] > liked[:, 1])[:, None], pairs, pairs[:, ::-1])
        judges.append(Judge(f"p{n}", pairs[:40], pairs[40:], pairs))
    return Crowd(features, tuple(judges))


def compared(people, **options):
    return compare_learners(people, LEARNERS, (5, 20), everyone="global", folds=3, **options)


def test_where_people_differ_own_answers_add_to_everyones_and_anothers():
    found = compared(crowd())
    for count in (5, 20):
        assert found["global"][count].over_everyone.mean == 0
        assert found["global"][count].over_other.mean == 0
    for name in ("alone", "low-rank"):
        assert found[name][20].over_everyone.low > 0.1
        assert found[name][20].over_other.low > 0.1
        assert found[name][20].accuracy.people == 30


def test_where_people_agree_own_answers_add_nothing():
    found = compared(crowd(camps=False))
    assert abs(found["low-rank"][20].over_everyone.mean) < 0.02


def test_settings_are_chosen_on_people_who_are_not_measured():
    told = []
    compared(crowd(), told=told.append)
    assert {line for line in told if line.startswith("alone")} == {
        f"alone, part {part} of 3: {Alone(1.0, WIDTH)}" for part in (1, 2, 3)
    }


def test_what_is_learned_of_texts_is_never_learned_of_those_who_are_measured():
    people, seen = crowd(), []

    def learn(judges):
        seen.append({judge.user for judge in judges})
        return np.zeros((len(people.features), 1))

    plain = compared(people)
    learned = compared(Crowd(people.features, people.judges, learn))
    assert [len(users) for users in seen] == [10, 10, 10]
    assert set.intersection(*seen) == set()
    for count in (5, 20):  # a column that says nothing changes nothing
        assert learned["global"][count].accuracy.mean == plain["global"][count].accuracy.mean


def test_who_has_too_few_answers_is_left_out():
    people = crowd()
    short = Judge(
        "short", people.judges[0].given[:10], people.judges[0].asked, np.zeros((0, 2), int)
    )
    found = compared(Crowd(people.features, (*people.judges, short)))
    assert found["low-rank"][5].accuracy.people == 31
    assert found["low-rank"][20].accuracy.people == 30


def test_asking_begins_where_nothing_is_known_in_either_way():
    found = asked_about(crowd(), LOW_RANK, (0, 5, 15), folds=3)
    assert found["difference"][0].mean == 0
    for way in ("random", "uncertainty"):
        assert found[way][15].mean > found[way][0].mean + 0.1


def test_questions_lessen_regret_for_who_learns_and_for_nobody_else():
    values = np.random.default_rng(1).standard_normal((60, WIDTH))
    entered = {
        "global": Contestant(Everyones(WIDTH)),
        "random": Contestant(LowRank(rank=WIDTH, width=WIDTH, prior=1.0)),
        "eliminating": Contestant(LowRank(rank=WIDTH, width=WIDTH, prior=1.0), "elimination"),
    }
    found = regrets(values, entered, questions=10, people=12, taught=12)
    assert found["global"].after[0].mean == found["global"].after[10].mean
    assert found["random"].after[10].mean < found["random"].after[0].mean
    assert found["eliminating"].after[10].mean < found["random"].after[0].mean
    assert found["random"].settled is None
    assert 0 <= found["eliminating"].settled.mean <= 10


@pytest.fixture
def rated(tmp_path):
    """Eight films and two people, of whom the second gives every film the same."""
    with gzip.open(tmp_path / "movies.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["movieId", "title", "genres"])
        rows.writerows((n, f"Film {n} ({1980 + n})", "Comedy" if n % 2 else "Drama|War")
                       for n in range(8))  # fmt: skip
    with gzip.open(tmp_path / "ratings.csv.gz", "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["userId", "movieId", "rating", "timestamp"])
        rows.writerows(("1", n, 5 if n % 2 else 2, 100 + n) for n in range(8))
        rows.writerows(("2", n, 3, 100 + n) for n in range(8))
    return tmp_path


def test_films_are_compared_as_they_are_rated_and_later_ones_with_each_other(rated):
    people = films(rated, np.zeros((8, 3)), rated=False)
    first, second = people.judges
    assert (first.given % 2).tolist() == [[1, 0]] * len(first.given)
    assert first.given.max() <= 3  # the first 60% of 8
    assert first.asked.min() >= 4
    assert len(first.asked) == 4
    assert len(second.given) == len(second.asked) == len(second.taught) == 0
    assert np.allclose(people.features.mean(0), 0)


def test_what_others_rate_says_which_films_are_liked_and_seen(rated):
    people = films(rated, np.zeros((8, 3)))
    seen = people.seen_by(people.judges[:1])
    more = seen.features[:, people.features.shape[1] :]
    assert more.shape == (8, 2)
    assert more[1::2, 0].min() > more[::2, 0].max()
    assert np.ptp(people.seen_by(people.judges[1:]).features[:, -2]) == 0


def test_films_that_are_not_there_are_an_error_that_names_the_file(tmp_path):
    with pytest.raises(InvalidFile, match=r"no such file: .*movies\.csv\.gz"):
        films(tmp_path, np.zeros((0, 3)))


def lengths(prompts, texts):
    assert len(prompts) == len(texts)
    return np.array([[len(text), text.count(",")] for text in texts], float)


def test_the_sample_holds_choices_reasons_and_ties():
    chosen = choices(sample_path(), lengths, most=10)
    written = reasons(sample_path(), lengths, given=10, asked=5, most=10)
    assert len(chosen.judges) == len(written.judges) == 10
    for judge in written.judges:
        assert len(judge.given) <= 10
        assert 0 < len(judge.asked) <= 5
        assert all(mine != other for mine, other in judge.asked)
    found = ties(sample_path(), most=10)
    assert 0 < found.rate.mean < 1
    assert found.spread >= 0
