"""`personalllm`: on a few made-up prompts with two reward models."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from ipse.errors import InvalidFile, UsageError
from ipse.evaluation.tasks.personalllm import Personalllm

MODELS = ("long", "short")


def prompt(name, scores):
    """One prompt, eight answers; `scores` has a row an answer, a column a reward model."""
    row = {"prompt": f"prompt {name}", "subset": "x"}
    for n, answer in enumerate(scores, start=1):
        row |= {f"response_{n}": f"{name} answer {n}", f"response_{n}_model": "m"}
        row |= {f"response_{n}_{model}": score for model, score in zip(MODELS, answer, strict=True)}
    return row


def opposed(shift):
    """Two reward models that agree on nothing; the second counts in hundreds."""
    return [((n + shift) % 8, -100 * ((n + shift) % 8)) for n in range(8)]


def lay_out(root, train, test):
    folder = root / "personalllm"
    folder.mkdir(exist_ok=True)
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def root(tmp_path):
    lay_out(
        tmp_path,
        [prompt(f"train{n}", opposed(n)) for n in range(12)],
        [prompt(f"test{n}", opposed(3 * n)) for n in range(6)],
    )
    return tmp_path


def task(root, **settings):
    return Personalllm(root=root, **settings)


def test_the_right_choice_has_the_highest_reward_and_all_are_in_meta(root):
    for person in task(root).people(5):
        assert len(person.items) == 4
        for item in person.items:
            assert len(set(item.choices)) == len(item.meta["rewards"]) == 8
            assert item.meta["rewards"][item.right] == max(item.meta["rewards"])
            assert item.question == f"prompt {item.choices[0].split()[0]}"
            assert item.meta["simulated"] is True


def test_rewards_are_standardized_scores_weighted(root):
    # Each model's twelve prompts hold 0 to 7 once each: mean 3.5, deviation sqrt(5.25); the second
    # has -100 times that. A weight of w on the first gives (2w - 1) (score - 3.5) / sqrt(5.25).
    person = next(task(root, alpha=1.0).people(2))
    item = person.items[0]
    number = int(item.question.removeprefix("prompt test"))
    ranks = [(int(text.split()[-1]) - 1 + 3 * number) % 8 for text in item.choices]
    ratios = [
        reward / ((rank - 3.5) / np.sqrt(5.25))
        for reward, rank in zip(item.meta["rewards"], ranks, strict=True)
    ]
    assert np.ptp(ratios) < 1e-3
    assert -1 < ratios[0] < 1


def test_a_person_has_one_taste_in_history_and_items(root):
    # Who goes by one model alone prefers what it scores highest to what it scores lowest.
    tastes = set()
    for person in task(root, alpha=0.01).people(8):
        for record in person.history.records:
            n, answer = record.input.removeprefix("prompt train"), int(record.output.split()[-1])
            rank = (answer - 1 + int(n)) % 8
            tastes.add((person.history.id, rank))
            assert (int(record.rejected.split()[-1]) - 1 + int(n)) % 8 == 7 - rank
        for item in person.items:
            number = int(item.question.removeprefix("prompt test"))
            best = int(item.choices[item.right].split()[-1])
            tastes.add((person.history.id, (best - 1 + 3 * number) % 8))
    assert len(tastes) == 8
    assert {rank for _, rank in tastes} == {0, 7}


def test_the_history_is_of_train_prompts_only_and_before_every_item(root):
    for person in task(root, past=99, items=0).people(3):
        assert len(person.history) == 12
        assert len(person.items) == 6
        for view in (person.history, person.other):
            assert not any("test" in record.input + record.output for record in view.records)
        times = [thing.time for thing in (*person.history.records, *person.items)]
        assert all(a < b for a, b in pairwise(times))


def test_an_answer_planted_in_the_test_file_is_in_no_history(root):
    path = root / "personalllm" / "test.jsonl"
    path.write_text(path.read_text() + json.dumps(prompt("planted", opposed(0))) + "\n")
    people = list(task(root, items=0).people(3))
    assert all(any("planted" in item.question for item in person.items) for person in people)
    assert not any("planted" in str(person.history) for person in people)


def test_people_depend_on_the_seed_and_their_number_alone(root):
    few, many = list(task(root).people(2)), list(task(root).people(4))
    assert [p.history for p in few] == [p.history for p in many[:2]]
    assert [p.items for p in few] == [p.items for p in many[:2]]
    assert [p.history for p in task(root, seed=1).people(2)] != [p.history for p in few]
    assert [p.other.id for p in few] == ["simulated-1", "simulated-0"]


def test_the_population_is_other_people(root):
    population = list(task(root, fit=3).population())
    assert [user.id for user in population] == [f"simulated-fit-{n}" for n in range(3)]
    assert all(len(user) == 10 for user in population)


def test_right_answers_stand_anywhere(root):
    rights = [item.right for person in task(root).people(40) for item in person.items]
    assert set(rights) == set(range(8))
    assert max(rights.count(place) for place in range(8)) < len(rights) / 4


def test_a_model_that_scores_all_alike_says_nothing(root):
    flat = [prompt(f"train{n}", [(1.0, n) for n in range(8)]) for n in range(3)]
    lay_out(root, flat, [prompt("test0", [(1.0, n) for n in range(8)])])
    person = next(task(root, alpha=1.0).people(2))
    assert person.items[0].choices[person.items[0].right] == "test0 answer 8"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("response_8_short", None, "'response_8_short' must be a number; got None"),
        ("response_8_short", float("nan"), "'response_8_short' must be a number; got nan"),
        ("response_3", "", "'response_3' is empty"),
        ("prompt", 3, "'prompt' must be a str"),
    ],
)
def test_a_malformed_row_is_named(root, field, value, reason):
    path = root / "personalllm" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1][field] = value
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InvalidFile, match=f"train.jsonl:2: {reason}"):
        list(task(root, past=99).people(2))


def test_a_file_without_scores_or_with_other_models_is_refused(root):
    lay_out(root, [{"prompt": "x", "response_1": "y"}], [])
    with pytest.raises(InvalidFile, match="no row with scores such as 'response_1_gemma_2b'"):
        list(task(root).people(2))
    row = prompt("test0", opposed(0))
    lay_out(
        root,
        [prompt("train0", opposed(0))],
        [{key: value for key, value in row.items() if not key.endswith("_short")}],
    )
    with pytest.raises(InvalidFile, match=r"reward models long, short, and .*test.jsonl of long"):
        list(task(root).people(2))


def test_alpha_must_be_above_0(root):
    with pytest.raises(UsageError, match=r"alpha of 'personalllm' must be above 0; got 0"):
        list(task(root, alpha=0).people(2))


def test_a_missing_file_says_how_to_make_it(root):
    (root / "personalllm" / "test.jsonl").unlink()
    with pytest.raises(InvalidFile, match=r"personalllm/test.jsonl. Get it from .*to_json"):
        list(task(root).people(2))
