import json
from datetime import UTC, datetime

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks import lamp as module
from ipse.evaluation.tasks.lamp import Lamp
from ipse.importers.lamp import TASKS
from ipse.methods.compose import Learned, personalize
from ipse.methods.lamp import Lamp as LampPrompt
from ipse.methods.steps import finish
from ipse.plan import Plan
from tests.people import echo

ASKED = {
    "1": 'For an author who has written the paper with the title "T", which reference is related? '
    'Just answer with [1] or [2] without explanation. [1]: "Nets" [2]: "Trees"',
    "2": "Which tag does this movie relate to among the following tags? description: Robots",
    "2n": "Which category does this article relate to among the following? article: A cup",
    "3": "What is the score of the following review on a scale of 1 to 5? review: Bad",
    "4": "Generate a headline for the following article:  Sun \n all week ",
    "5": "Generate a title for the following abstract of a paper: We",
    "6": "Generate a subject for the following email: Hi",
    "7": "Paraphrase the following tweet without any explanation before or after it: hi",
}
GOLD = {"1": "[2]", "2": "dark comedy", "2n": "crime", "3": "4"}
FILES = {"2": "LaMP_2/new/dev", "2n": "LaMP_2/dev"}


def thing(number, n, **more):
    """The n-th item of a profile."""
    item = {
        "1": {"title": f"Title {n}", "abstract": f"Abstract {n}"},
        "2": {"description": f"Film {n}", "tag": "comedy"},
        "2n": {"title": f"Title {n}", "text": f"Text {n}", "category": "crime"},
        "3": {"text": f"Review {n}", "score": "5"},
        "5": {"abstract": f"Abstract {n}", "title": f"Title {n}"},
        "7": {"text": f"Tweet {n}"},
    }.get(number, {"text": f"Text {n}", "title": f"Title {n}"})
    return {"id": f"{n}0", **item, **more}


def asked(name, number="4", profile=2, **more):
    items = [thing(number, n) for n in range(profile)] if isinstance(profile, int) else profile
    return {"id": name, "input": ASKED[number], "profile": items, **more}


def written(root, questions, number="4", folder="", part="dev", golds=None):
    """Lay questions out below `root`, as the benchmark does, with golds for all of them."""
    folder = root / "lamp" / (folder or FILES.get(number, f"LaMP_{number}/{part}"))
    folder.mkdir(parents=True)
    (folder / f"{part}_questions.json").write_text(json.dumps(questions))
    if golds is None:
        golds = {entry["id"]: GOLD.get(number, f"Gold {entry['id']}") for entry in questions}
    task = f"LaMP_{number[0]}"
    listed = [{"id": name, "output": output} for name, output in golds.items()]
    (folder / f"{part}_outputs.json").write_text(json.dumps({"task": task, "golds": listed}))
    return root


def names(people):
    return [(p.history.id, [item.id for item in p.items], p.other and p.other.id) for p in people]


@pytest.mark.parametrize("number", ASKED)
def test_every_task_is_read_from_its_own_place(tmp_path, number):
    task = Lamp(root=written(tmp_path, [asked("a", number)], number), number=number)
    (person,) = task.people(9)
    (item,) = person.items
    assert (person.history.id, len(person.history)) == ("a", 2)
    assert (item.id, item.question) == ("a", ASKED[number])
    assert item.choices == TASKS[f"lamp-{number}"].labels
    assert item.target == GOLD.get(number, "Gold a")
    assert item.right == (item.choices.index(item.target) if item.choices else -1)


def test_measures_scores_and_lengths_are_those_of_the_task():
    def said(number):
        task = Lamp(number=number)
        return task.measures, task.metrics, task.tokens

    labelled = (("choose", "write"), ("label_accuracy", "macro_f1", "accuracy"), 16)
    assert [said(number) for number in ("1", "2", "2n")] == [labelled] * 3
    assert said("3") == (("choose", "write"), ("mae", "rmse", "accuracy"), 16)
    text = (("nats", "write"), ("rouge_1", "rouge_l", "nats_per_token"), 128)
    assert [said(number) for number in ("4", "5", "6", "7")] == [text] * 4


def test_the_files_of_each_split_and_part_have_their_own_place():
    files = {
        Lamp(): "LaMP_4/dev/dev",
        Lamp(split="time"): "time/LaMP_4/dev/dev",
        Lamp(number="2"): "LaMP_2/new/dev/dev",
        Lamp(number="2n", part="train"): "LaMP_2/train/train",
        Lamp(number="2", split="time"): "time/LaMP_2/new/dev/dev",
    }
    for task, start in files.items():
        assert task.source.files == (f"{start}_questions.json", f"{start}_outputs.json")


def test_a_missing_file_says_where_to_get_it_and_where_it_goes(tmp_path):
    with pytest.raises(InvalidFile, match=r"lamp-benchmark\.github\.io.*LaMP_4/dev/dev_questions"):
        next(Lamp(root=tmp_path).people(1))
    written(tmp_path, [asked("a")])
    (tmp_path / "lamp" / "LaMP_4" / "dev" / "dev_outputs.json").unlink()
    with pytest.raises(InvalidFile, match=r"no .*dev_outputs\.json"):
        next(Lamp(root=tmp_path).people(1))


def test_what_is_not_older_than_a_dated_question_is_not_in_the_history(tmp_path):
    dates = ("2020-01-02", "2020-01-05", "2020-01-01", "2020-01-04", "2020-01-03")
    profile = [thing("4", n, date=date) for n, date in enumerate(dates)]
    profile[1]["title"] = "Gold a"  # the answer, planted a day after the question
    root = written(tmp_path, [asked("a", profile=profile, date="2020-01-04")])
    (person,) = Lamp(root=root).people(1)
    assert [r.output for r in person.history.records] == ["Title 2", "Title 0", "Title 4"]
    assert person.items[0].time == datetime(2020, 1, 4, tzinfo=UTC)


def test_without_dates_a_profile_is_the_past_in_the_files_order(tmp_path):
    (person,) = Lamp(root=written(tmp_path, [asked("a", profile=3)])).people(1)
    assert [r.output for r in person.history.records] == ["Title 0", "Title 1", "Title 2"]
    assert person.items[0].time is None


def test_the_person_before_stands_in_and_the_second_for_the_first(tmp_path):
    task = Lamp(root=written(tmp_path, [asked(name) for name in "abcd"]))
    assert names(task.people(3)) == [("a", ["a"], "b"), ("b", ["b"], "a"), ("c", ["c"], "b")]
    assert names(task.people(1)) == [("a", ["a"], None)]
    assert names(task.people(0)) == []


def test_someone_of_several_questions_is_one_person_with_a_profile_for_each(tmp_path):
    users = {"1": "x", "2": "y", "3": "x", "4": "x", "5": "z"}
    questions = [asked(name, profile=int(name), user_id=user) for name, user in users.items()]
    task = Lamp(root=written(tmp_path, questions))
    people = list(task.people(2))
    assert [(p.history.id, p.items[0].id) for p in people] == [
        ("x", "1"),
        ("y", "2"),
        ("x", "3"),
        ("x", "4"),
    ]
    assert [len(p.history) for p in people] == [1, 2, 3, 4]
    assert [p.other and p.other.id for p in people] == ["y", "x", "y", None]
    two = Lamp(root=tmp_path, items=1).people(3)
    assert [p.items[0].id for p in two] == ["1", "2", "5"]


def test_the_same_item_twice_is_one_record_and_an_item_that_says_nothing_is_none(tmp_path):
    item = thing("4", 1, date="2020-01-01")
    profile = [item, item, thing("4", 2, title="  "), thing("4", 3, title=None)]
    (person,) = Lamp(root=written(tmp_path, [asked("a", profile=profile)])).people(1)
    assert [r.output for r in person.history.records] == ["Title 1"]


def test_only_others_are_learned_from(tmp_path):
    written(tmp_path, [asked("a")])
    train = [asked(name, profile=n, user_id=u) for n, (name, u) in enumerate(("xp", "yp", "zq"))]
    written(tmp_path, train, part="train")
    written(tmp_path, train, part="train", folder="time/LaMP_4/train")
    everyone = Lamp(root=tmp_path).population()
    assert [(user.id, len(user)) for user in everyone] == [("p", 0), ("q", 2)]
    assert list(Lamp(root=tmp_path, split="time").population()) == []
    assert list(Lamp(root=tmp_path, part="train").population()) == []
    assert [p.history.id for p in Lamp(root=tmp_path, part="train").people(9)] == ["p", "p", "q"]


@pytest.mark.parametrize(("number", "other"), [("2", "2n"), ("2n", "2")])
def test_the_file_of_the_other_lamp_2_is_refused(tmp_path, number, other):
    root = written(tmp_path, [asked("a", other)], number, golds={"a": GOLD[number]})
    with pytest.raises(InvalidFile, match=rf"'lamp-{other}', not of 'lamp-{number}': both"):
        list(Lamp(root=root, number=number).people(1))


def test_the_golds_of_the_other_lamp_2_are_refused(tmp_path):
    root = written(tmp_path, [asked("a", "2")], "2", golds={"a": "crime"})
    with pytest.raises(InvalidFile, match="'a' is 'crime', which is no label of lamp-2: sci-fi"):
        list(Lamp(root=root, number="2").people(1))


@pytest.mark.parametrize("golds", [{}, {"a": "  "}])
def test_a_question_without_an_answer_is_refused(tmp_path, golds):
    root = written(tmp_path, [asked("a")], golds=golds)
    with pytest.raises(InvalidFile, match="no answer to the question 'a'"):
        list(Lamp(root=root).people(1))


@pytest.mark.parametrize("broken", [3, {"id": "b"}, asked("b", profile=[{"title": "T"}])])
def test_a_malformed_question_or_item_stops_the_reading_where_it_stands(tmp_path, broken):
    root = written(tmp_path, [asked("a")], golds={"a": "A", "b": "B"})
    path = root / "lamp" / "LaMP_4" / "dev" / "dev_questions.json"
    path.write_text(json.dumps([asked("a"), broken]))
    with pytest.raises(InvalidFile, match=r"dev_questions\.json:2: "):
        list(Lamp(root=root).people(9))


def test_an_answer_is_stripped_as_in_the_official_script(tmp_path):
    root = written(tmp_path, [asked("a", "3")], "3", golds={"a": " 4\n"})
    ((item,),) = (person.items for person in Lamp(root=root, number="3").people(1))
    assert (item.target, item.right) == ("4", 3)


def test_people_are_read_as_they_are_wanted(tmp_path, monkeypatch):
    taken = []

    def counted(*args, **more):
        for question in original(*args, **more):
            taken.append(question.id)
            yield question

    original = module.read_questions
    monkeypatch.setattr(module, "read_questions", counted)
    people = Lamp(root=written(tmp_path, [asked(name) for name in "abcdefgh"])).people(8)
    assert next(people).history.id == "a"
    assert taken == ["a", "b"]  # one ahead, who stands in


def test_the_method_lamp_works_records_into_the_question_as_asked(tmp_path):
    (person,) = Lamp(root=written(tmp_path, [asked("a", profile=1)])).people(1)
    method = LampPrompt(task="4", budget=0)
    learned = Learned(method, finish(method.enroll(person.history, None), echo()))
    plan = Plan.ask(person.items[0].question)
    personal = personalize(plan, person.history, [learned], echo())
    assert personal.main.question == f'"Title 0" is the title for "Text 0" . {ASKED["4"]}'
