import json

import pytest

from ipse.errors import InvalidFile
from ipse.evaluation.tasks.longlamp import Longlamp

PAPER = {"id": "p1", "title": "Dense codes", "abstract": "Codes are many.", "year": 2009}
REVIEW = {
    "description": "A steel kettle",
    "overall": "5.0",
    "summary": "Boils",
    "reviewText": "It boils water, fast.",
}
POST = {"id": "r1", "author": "ann", "summary": "Lost a cat", "content": "So, our cat …"}


def line(user="ann", profile=(PAPER,), who="name", **more):
    fields = {"input": "Generate an abstract", "output": f"Text of {user}"}
    return {who: user, "profile": list(profile)} | fields | more


def written(root, *lines, config="abstract_generation_user", part="test"):
    path = root / "longlamp" / config / f"{part}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    return root


def only(task):
    (person,) = task.people(9)
    return person.history, person.items[0]


@pytest.mark.parametrize(
    ("kind", "who", "item", "texts"),
    [
        ("abstract_generation", "name", PAPER, ("Dense codes", "Codes are many.")),
        (
            "product_review",
            "reviewerId",
            REVIEW,
            ("5.0\nBoils\nA steel kettle", "It boils water, fast."),
        ),
        ("topic_writing", "author", POST, ("Lost a cat", "So, our cat …")),
    ],
)
def test_every_kind_is_read_from_its_own_file(tmp_path, kind, who, item, texts):
    root = written(tmp_path, line("ann", [item], who), config=f"{kind}_temporal")
    history, asked = only(Longlamp(root=root, kind=kind, split="temporal"))
    (record,) = history.records
    assert (history.id, record.user, record.kind) == ("ann", "ann", "content")
    assert (record.input, record.output) == texts
    assert (asked.id, asked.question) == ("test-1", "Generate an abstract")
    assert (asked.target, asked.time) == ("Text of ann", None)


def test_papers_stand_by_their_year_and_the_rest_in_the_files_order(tmp_path):
    papers = [PAPER | {"title": str(year), "year": year} for year in (2011, 1999, 2004)]
    history, _ = only(Longlamp(root=written(tmp_path, line(profile=papers))))
    assert [record.input for record in history.records] == ["1999", "2004", "2011"]
    posts = [POST | {"summary": name} for name in "cab"]
    root = written(tmp_path, line("ann", posts, "author"), config="topic_writing_user")
    history, _ = only(Longlamp(root=root, kind="topic_writing"))
    assert [record.input for record in history.records] == ["c", "a", "b"]


def test_records_are_cut_and_questions_and_targets_are_not(tmp_path):
    long = "word " * 800
    entry = line(profile=[PAPER | {"title": long, "abstract": long}], input=long, output=long)
    history, asked = only(Longlamp(root=written(tmp_path, entry)))
    (record,) = history.records
    for text in (record.input, record.output):
        assert text == "word " * 750 + "…"
    assert (asked.question, asked.target) == (long, long)
    history, _ = only(Longlamp(root=tmp_path, words=2))
    assert history.records[0].output == "word word …"


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_an_item_that_says_nothing_is_left_out_and_one_without_a_title_is_not(tmp_path, nothing):
    profile = [PAPER | {"abstract": nothing}, PAPER | {"title": None, "year": None}]
    history, _ = only(Longlamp(root=written(tmp_path, line(profile=profile))))
    assert [(r.input, r.output) for r in history.records] == [("", "Codes are many.")]


def test_people_come_in_the_files_order_and_others_are_learned_from(tmp_path):
    written(tmp_path, line("ann"), line("bob"), line("ann"), line("cid"))
    people = list(Longlamp(root=tmp_path).people(2))
    assert [(p.history.id, p.items[0].id) for p in people] == [
        ("ann", "test-1"),
        ("bob", "test-2"),
        ("ann", "test-3"),
    ]
    assert [p.other and p.other.id for p in people] == ["bob", "ann", "bob"]
    written(tmp_path, line("eve"), line("eve"), line("flo"), part="train")
    assert [user.id for user in Longlamp(root=tmp_path).population()] == ["eve", "flo"]
    assert list(Longlamp(root=tmp_path, split="temporal").population()) == []


def test_a_missing_file_says_how_to_make_it(tmp_path):
    told = (
        r"load_dataset\('LongLaMP/LongLaMP', 'topic_writing_user', split='val'\)"
        r"\.to_json\('val\.jsonl'\)"
    )
    with pytest.raises(InvalidFile, match=told):
        next(Longlamp(root=tmp_path, kind="topic_writing", part="val").people(1))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ([], "one JSON object"),
        (line(who="author"), "no field 'name'"),
        (line(output=""), "'output' is empty"),
        (line(input=7), "'input' must be a str"),
        (line() | {"profile": {"title": []}}, "'profile' must be a list"),
        (line(profile=[POST]), "profile item 1 needs 'abstract'; got"),
        (line(profile=["x"]), "profile item 1 needs 'abstract'; got 'x'"),
        (line(profile=[PAPER, PAPER | {"year": "soon"}]), "profile item 2: a time is"),
        (line(profile=[PAPER | {"abstract": "a\x00"}]), r"U\+0000"),
    ],
)
def test_a_malformed_line_is_refused_by_its_number(tmp_path, entry, reason):
    root = written(tmp_path, line(), entry)
    with pytest.raises(InvalidFile, match=rf"test\.jsonl:2.*{reason}"):
        list(Longlamp(root=root).people(9))


def test_lines_are_read_as_people_are_wanted(tmp_path):
    root = written(tmp_path, line("ann"), line("bob"), ["broken"])
    people = Longlamp(root=root).people(9)
    assert next(people).history.id == "ann"
    with pytest.raises(InvalidFile, match=":3: "):
        list(people)
