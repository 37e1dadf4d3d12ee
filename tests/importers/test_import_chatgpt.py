import json
import zipfile

import pytest

from ipse.errors import InvalidFile
from ipse.importers import Problem, read


def message(role, *parts, kind="text", time=1714554000.0, **metadata):
    return {
        "id": f"m-{role}",
        "author": {"role": role},
        "create_time": time,
        "content": {"content_type": kind, "parts": list(parts)},
        "metadata": metadata,
    }


def conversation(*messages, **more):
    """A conversation that is one branch: node 0 is the empty root, as in real exports."""
    nodes = {"0": {"id": "0", "message": None, "parent": None}}
    for number, said in enumerate(messages, 1):
        nodes[str(number)] = {"message": said, "parent": str(number - 1)}
    fields = {"title": "Lunch", "conversation_id": "c1", "create_time": 1714550400.0}
    return fields | {"mapping": nodes, "current_node": str(len(messages))} | more


def imported(tmp_path, *conversations):
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(conversations))
    return list(read("chatgpt", path, user="ada"))


def test_a_message_is_a_record_with_what_the_other_side_said(tmp_path):
    said = [
        message("system", "Be kind."),
        message("user", "Hello?"),
        message("assistant", "Hi!"),
        message("tool", "searching"),
        message("assistant", "What is it?"),
        message("user", "Lunch", "at one?", time=1714554060.0),
    ]
    first, second = imported(tmp_path, conversation(*said))
    assert (first.user, first.kind, first.input, first.output) == ("ada", "dialogue", "", "Hello?")
    assert (second.input, second.output) == ("What is it?", "Lunch\n\nat one?")
    assert second.time.isoformat() == "2024-05-01T09:01:00+00:00"
    assert second.meta == {"thread": "c1", "title": "Lunch", "message": "m-user"}


def test_only_the_branch_that_was_kept_counts(tmp_path):
    kept = conversation(message("user", "First draft"), message("user", "Second draft"))
    kept["mapping"]["2"]["parent"] = "0"
    (record,) = imported(tmp_path, kept)
    assert record.output == "Second draft"


def test_what_has_no_words_of_the_person_is_skipped(tmp_path):
    picture = {"content_type": "image_asset_pointer"}
    said = [
        message("user", picture, kind="multimodal_text"),
        message("user", "About me: ...", kind="user_editable_context"),
        message("user", "hidden", is_visually_hidden_from_conversation=True),
        message("user", "", "  "),
        {"author": None, "content": None},
        message("user", picture, "What is this?", kind="multimodal_text"),
    ]
    (record,) = imported(tmp_path, conversation(*said))
    assert record.output == "What is this?"


def test_a_message_without_a_time_has_its_conversations(tmp_path):
    (record,) = imported(tmp_path, conversation(message("user", "Hi", time=None)))
    assert record.time.isoformat() == "2024-05-01T08:00:00+00:00"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (3, "JSON object"),
        ({"title": "x"}, "'mapping'"),
        (conversation(current_node="99"), "'99' is not in its mapping"),
        (conversation(message("user", "Hi", time="soon")), "message 'm-user': a time is"),
        (conversation(message("user", "Hi", time=None), create_time=None), "a time is"),
        (conversation(message("user", "a\x00b")), "U+0000"),
    ],
)
def test_a_malformed_conversation_is_a_problem_by_number(tmp_path, bad, reason):
    good = conversation(message("user", "Hi"))
    first, problem, last = imported(tmp_path, good, bad, good)
    assert isinstance(problem, Problem)
    assert problem.line == 2
    assert reason in problem.reason
    assert first == last


def test_a_circle_of_parents_ends(tmp_path):
    circle = conversation(message("user", "Hi"))
    circle["mapping"]["0"]["parent"] = "1"
    (record,) = imported(tmp_path, circle)
    assert record.output == "Hi"


def test_the_zip_of_the_export_is_read(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, text in enumerate(("One", "Two")):
            data = json.dumps([conversation(message("user", text))])
            archive.writestr(f"export/conversations-{number:03}.json", data)
        archive.writestr("chat.html", "<html>")
    assert [record.output for record in read("chatgpt", path, user="ada")] == ["One", "Two"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"[broken", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"mapping": {}}', "not a list of conversations"),
    ],
    ids=["json", "utf-8", "deep", "mapping"],
)
def test_a_broken_part_of_the_zip_is_a_problem_and_the_rest_is_read(tmp_path, bad, reason):
    path = tmp_path / "export.zip"
    good = json.dumps([conversation(message("user", "Hi"))]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for number, data in enumerate((good, bad, good)):
            archive.writestr(f"conversations-{number:03}.json", data)
    first, problem, last = read("chatgpt", path, user="ada")
    assert isinstance(problem, Problem)
    assert (problem.file, problem.line) == (str(path), 0)
    assert "conversations-001.json" in problem.reason
    assert reason in problem.reason
    assert first == last


def test_a_part_of_the_zip_with_a_flipped_bit_is_a_problem(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, text in enumerate(("One", "Two")):
            data = json.dumps([conversation(message("user", text))])
            archive.writestr(f"conversations-{number:03}.json", data)
    path.write_bytes(path.read_bytes().replace(b"Two", b"Twp", 1))
    first, problem = read("chatgpt", path, user="ada")
    assert first.output == "One"
    assert "CRC" in problem.reason


def test_what_is_no_export_is_an_error(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "x")
    with pytest.raises(InvalidFile, match=r"no conversations\.json"):
        list(read("chatgpt", path, user="ada"))
    path.write_text('{"mapping": {}}')
    with pytest.raises(InvalidFile, match="not a list of conversations"):
        list(read("chatgpt", path, user="ada"))
