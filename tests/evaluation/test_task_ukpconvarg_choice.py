"""`ukpconvarg-choice`: on a file of three people, and on the shipped sample."""

from __future__ import annotations

import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.ukpconvarg_choice import UkpconvargChoice

TOPIC = "tea-or-coffee_tea"
VERDICTS = ("a1", "a2", "equal")


def words(argument):
    return f"words of {argument} " + "more " * 50


@pytest.fixture
def root(tmp_path):
    """Three people, thirty verdicts each in turn a1, a2, equal, over thirty pairs."""
    folder = tmp_path / "ukpconvarg"
    folder.mkdir()
    arguments = [
        {"arg_id": f"x{n}{side}", "topic": TOPIC, "author": "z", "stance": "Tea",
         "text": words(f"x{n}{side}")}
        for n in range(30) for side in "ab"
    ]  # fmt: skip
    judgements = [
        {"user_id": user, "pair_id": f"p{n}", "topic": TOPIC, "arg1": f"x{n}a", "arg2": f"x{n}b",
         "choice": VERDICTS[n % 3], "reason": "so", "worker_stance": None}
        for user in ("ada", "bob", "eve") for n in range(30)
    ]  # fmt: skip
    for name, rows in (("arguments", arguments), ("annotations", judgements)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def task(root, **settings):
    return UkpconvargChoice(root=root, **{"fit": 1, "items": 0} | settings)


def test_a_question_shows_both_arguments_and_the_right_one_is_the_chosen_one(root):
    person = next(task(root, words=3).people(2))
    # Thirty verdicts, the last fifth held out: pairs 24 to 29, of which 26 and 29 are ties.
    assert [item.document for item in person.items] == ["p24", "p25", "p27", "p28"]
    for item in person.items:
        number = int(item.document[1:])
        won = f"x{number}{'a' if number % 3 == 0 else 'b'}"
        assert item.choices == ("argument 1", "argument 2")
        assert f"Argument {item.right + 1}: words of {won} …" in item.question
        assert item.question.startswith("Topic: Tea or coffee (Tea)\n\n")
        assert item.question.endswith("more: argument 1 or argument 2?")


def test_which_argument_comes_first_depends_on_the_item_and_the_seed_alone(root):
    def asked(**settings):
        people = task(root, **settings).people(2)
        return [item.question for person in people for item in person.items]

    assert asked() == asked()
    assert any(asked() != asked(seed=seed) for seed in range(1, 4))


def test_nothing_held_out_and_no_tie_is_in_any_history(root):
    for person in task(root).people(2):
        for view in (person.history, person.other):
            assert {record.meta["pair_id"] for record in view.records} == {
                f"p{n}" for n in range(24) if n % 3 != 2
            }
            assert all(record.time < item.time for record in view.records for item in person.items)


def test_ties_are_a_third_answer_where_they_are_asked_for(root):
    person = next(task(root, ties=True).people(2))
    assert [item.document for item in person.items] == [f"p{n}" for n in range(24, 30)]
    assert person.items[2].choices == ("argument 1", "argument 2", "both alike")
    assert person.items[2].right == 2
    assert person.items[2].question.endswith("more: argument 1, argument 2 or both alike?")
    assert any(record.meta.get("tie") for record in person.history.records)


def test_the_population_is_nobody_who_is_evaluated(root):
    fitted = [user.id for user in task(root).population()]
    assert len(fitted) == 1
    assert not set(fitted) & {person.history.id for person in task(root).people(2)}
    assert not any(r.meta.get("tie") for user in task(root).population() for r in user.records)


def test_someone_whose_later_verdicts_are_all_ties_is_left_out(root):
    path = root / "ukpconvarg" / "annotations.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if row["user_id"] == "ada" and int(row["pair_id"][1:]) >= 24:
            row["choice"] = "equal"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert {p.history.id for p in task(root, fit=0).people(3)} == {"bob", "eve"}


def test_a_folder_without_its_files_says_which(root):
    (root / "ukpconvarg" / "arguments.jsonl").unlink()
    with pytest.raises(InvalidFile, match=r"arguments\.jsonl"):
        list(task(root).people(2))


def test_the_shipped_sample_has_40_people_and_balanced_answers():
    people = list(UkpconvargChoice().people(99))
    items = [item for person in people for item in person.items]
    assert len(people) == 40
    assert len(items) > 350
    assert sum(item.right for item in items) / len(items) == pytest.approx(0.5, abs=0.08)
    for person in people:
        assert person.other.id != person.history.id
        assert not any(record.meta["choice"] == "equal" for record in person.history.records)
