"""`authors`: on a few made-up texts, and on the shipped sample."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from ipse.errors import InvalidFile, UsageError
from ipse.evaluation.tasks.authors import Authors, written
from ipse.evaluation.tasks.passages import Passage, passages


def speech(word, count=4):
    """Sentences of five words, numbered, in a line."""
    return " ".join(f"Here the {word} number{n} stands." for n in range(count))


ADDRESSES = [
    ("Polk", 1845, speech("polk")),
    ("Adams", 1797, speech("john")),
    ("Adams", 1825, speech("quincy")),
    ("Grant", 1869, speech("young", 8)),
    ("Grant", 1873, speech("old", 8)),
    ("Hayes", 1877, speech("first")),
    ("Hayes", 1877, speech("second")),
    ("Hayes", 1881, speech("third")),
]
ESSAYS = [
    ("JAY", 2, speech("jay")),
    ("JAY", 64, speech("senate") + "\n\nPUBLIUS.\n\nAnd more."),
    ("HAMILTON OR MADISON", 50, speech("nobody")),
    ("MADISON", 10, speech("faction")),
]


@pytest.fixture
def root(tmp_path):
    lay_out(tmp_path, ADDRESSES, ESSAYS)
    return tmp_path


def lay_out(root, addresses, essays):
    folder = root / "authors"
    folder.mkdir(exist_ok=True)
    rows = [{"user_id": name, "year": year, "kind": "x", "text": text}
            for name, year, text in addresses]  # fmt: skip
    (folder / "us_presidents.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows = [{"user_id": name, "no": no, "text": text} for name, no, text in essays]
    (folder / "federalist.jsonl").write_text("\n".join(map(json.dumps, rows)))


def task(root, **settings):
    return Authors(root=root, **{"opening": 5, "words": 5} | settings)


def people(task):
    return {person.history.id: person for person in task.people(99)}


def test_the_latest_year_is_asked_about_and_the_years_before_are_the_history(root):
    found = people(task(root))
    assert set(found) == {"Jay", "Grant", "Hayes"}
    hayes = found["Hayes"]
    # Two texts of 1877, two passages each: a second apart, and a day from text to text.
    assert [(r.input, r.output) for r in hayes.history.records] == [
        ("Here the first number0 stands.", "Here the first number1 stands."),
        ("Here the first number2 stands.", "Here the first number3 stands."),
        ("Here the second number0 stands.", "Here the second number1 stands."),
        ("Here the second number2 stands.", "Here the second number3 stands."),
    ]
    assert [str(r.time)[:19] for r in hayes.history.records] == [
        "1877-01-01 00:00:00", "1877-01-01 00:00:01", "1877-01-02 00:00:00", "1877-01-02 00:00:01",
    ]  # fmt: skip
    assert [item.target for item in hayes.items] == [
        "Here the third number1 stands.",
        "Here the third number3 stands.",
    ]
    assert hayes.items[0].question == (
        "Continue this text in the same voice:\n\nHere the third number0 stands."
    )


def test_an_answer_planted_in_a_later_text_is_in_no_history(root):
    lay_out(root, [*ADDRESSES, ("Hayes", 1885, speech("planted"))], ESSAYS)
    for person in people(task(root)).values():
        held = [record.output for view in (person.history, person.other) for record in view.records]
        assert not any("planted" in text for text in held)
        for item in person.items:
            assert not set(item.choices) & set(held)
            assert all(record.time < item.time for record in person.history.records)


def test_the_wrong_continuations_are_of_others_who_are_asked_about(root):
    by_word = {"old": "Grant", "third": "Hayes", "senate": "Jay"}
    for name, person in people(task(root)).items():
        for item in person.items:
            authors = [by_word[choice.split()[2]] for choice in item.choices]
            assert authors == item.meta["authors"]
            assert authors[item.right] == name
            assert sorted(authors) == ["Grant", "Hayes", "Jay"]
            assert item.choices[item.right] == item.target


def test_the_nearest_in_time_stands_in(root):
    found = people(task(root))
    # Asked about in 1787, 1873 and 1881.
    assert {name: person.other.id for name, person in found.items()} == {
        "Jay": "Grant", "Grant": "Hayes", "Hayes": "Grant",
    }  # fmt: skip
    near = people(task(root, near=1, wrong=3))["Hayes"].items[0]
    assert sorted(near.meta["authors"]) == ["Grant", "Hayes"]


def test_the_same_seed_draws_the_same(root):
    def drawn(seed):
        found = people(task(root, seed=seed)).values()
        return [item.choices for person in found for item in person.items]

    assert drawn(0) == drawn(0)
    assert any(drawn(0) != drawn(seed) for seed in range(1, 5))


def test_who_has_one_year_only_is_the_population(root):
    assert [user.id for user in task(root).population()] == [
        "John Adams",
        "John Quincy Adams",
        "Madison",
        "Polk",
    ]


def test_namesakes_are_told_apart_and_one_person_of_two_names_is_one():
    def who(name, year):
        return written("here", {"user_id": name, "year": year})[0]

    assert who("Bush", 1989) == "George H. W. Bush"
    assert who("Bush", 2001) == who("GWBush", 2002) == "George W. Bush"
    assert who("Roosevelt", 1905) != who("Roosevelt", 1933)
    assert written("here", {"user_id": "MADISON", "no": 10})[0] == who("Madison", 1809)
    assert written("here", {"user_id": "HAMILTON AND MADISON", "no": 18}) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"user_id": "Polk", "text": "x"}, "no field 'year'"),
        ({"user_id": "Polk", "year": 0, "text": "x"}, "1 to 9999; got 0"),
        ({"user_id": "JAY", "no": -3, "text": "x"}, "'no' must be 1 to 9999; got -3"),
        ({"user_id": "Polk", "year": "1845", "text": "x"}, "'year' must be a int"),
        ({"user_id": "Polk", "year": 1845}, "no field 'text'"),
        ({"year": 1845, "text": "x"}, "no field 'user_id'"),
        ([], "one JSON object"),
    ],
)
def test_a_malformed_line_is_named(root, row, reason):
    path = root / "authors" / "us_presidents.jsonl"
    path.write_text(path.read_text() + "\n" + json.dumps(row))
    with pytest.raises(InvalidFile, match=f"us_presidents.jsonl:9.*{reason}"):
        list(task(root).people(2))


def test_a_missing_file_says_where_it_goes(root):
    (root / "authors" / "federalist.jsonl").unlink()
    with pytest.raises(InvalidFile, match=r"no .*authors/federalist.jsonl. Get it from"):
        list(task(root).people(2))


def test_one_author_is_not_enough(root):
    with pytest.raises(UsageError, match="at least 2 authors; got 1"):
        list(task(root).people(1))


def test_passages_leave_out_what_nobody_said():
    text = (
        "ADDRESS OF THE PRESIDENT\n \nJanuary 31, 2006\n\n"
        "THE PRESIDENT:  Mr. Speaker, thank you all.  (Applause.)\nThis Nation\ufffd\ufffds "
        "work\ufffdXall of it\ufffdXgoes on. [Laughter] The U.S. Congress met.\n"
    ) + "A long line that is no heading, so that paragraphs are lines and not blocks. " * 3
    assert passages(text, 3, 5)[0] == Passage(
        "Mr. Speaker, thank you all.", "This Nation's work\u2014all of it\u2014goes on."
    )
    assert passages(text, 3, 5)[1].opening == "The U.S. Congress met."


def test_passages_of_wrapped_text_end_at_the_signature():
    text = "To the People:\n\nONE two\nthree four. Five six\nseven eight nine.\n\nPUBLIUS.\n\nNo."
    assert passages(text, 5, 5) == [
        Passage("To the People: ONE two three four.", "Five six seven eight nine.")
    ]


def test_passages_are_whole_not_too_long_and_not_damaged():
    assert passages("", 5, 5) == []
    assert passages("One two three four five. Six.", 5, 5) == []
    assert passages("word " * 16 + "end. One two three four five.", 5, 5) == []
    assert passages("One two three four f\ufffdve. One two three four five.", 5, 5) == []


@pytest.fixture(scope="module")
def sample():
    return list(Authors().people(99))


def test_the_shipped_sample_has_25_authors_and_18_to_learn_from(sample):
    assert len(sample) == 25
    assert {"Hamilton", "Madison", "Jay", "Washington", "Obama"} <= {p.history.id for p in sample}
    population = list(Authors().population())
    assert len(population) == 18
    assert not {user.id for user in population} & {person.history.id for person in sample}
    assert all(len(user) >= 4 for user in population)


def test_the_shipped_sample_is_strictly_past_and_within_bounds(sample):
    for person in sample:
        times = [record.time for record in person.history.records]
        assert all(a < b for a, b in pairwise(times))
        assert 6 <= len(times) <= 45
        assert 1 <= len(person.items) <= 4
        assert all(times[-1] < item.time for item in person.items)


def test_the_shipped_sample_decodes_and_no_choice_is_in_a_history(sample):
    outputs = {record.output for person in sample for record in person.history.records}
    for item in (item for person in sample for item in person.items):
        assert len(set(item.choices)) == 4
        assert not set(item.choices) & outputs
        for text in (item.question, *item.choices):
            assert "\ufffd" not in text
            assert "pplause" not in text
            assert "gutenberg" not in text.lower()


def test_the_shipped_sample_has_balanced_answers_of_like_length(sample):
    items = [item for person in sample for item in person.items]
    rights = [sum(item.right == place for item in items) for place in range(4)]
    assert sum(rights) == len(items) > 90
    assert min(rights) >= len(items) / 4 * 0.6
    lengths = [len(choice) for item in items for choice in item.choices]
    longest = sum(max(map(len, item.choices)) == len(item.target) for item in items)
    assert max(lengths) < 1000
    assert longest / len(items) < 0.45  # the longest is right little more often than any


def test_fewer_people_are_the_first_of_many(sample):
    few = [person.history.id for person in Authors().people(5)]
    assert few == [person.history.id for person in sample[:5]]
    assert len({person.history.id for person in sample}) == len(sample)
