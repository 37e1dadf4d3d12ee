"""PRISM and PersonalLLM as records; their readers are those of the evaluations."""

from __future__ import annotations

import json

import pytest

from ipse.errors import InvalidFile, UsageError
from ipse.importers import Problem, read
from ipse.preferences import pairs
from ipse.records import User

ASKED = {"user_id": "ada", "conversation_id": "c", "turn": 0, "user_prompt": "Tea?"}


def row(name, score, chosen=False, **fields):
    return {
        **ASKED, "utterance_id": name, "model_response": f"answer {name}", "score": score,
        "if_chosen": chosen, **fields,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    def lay_out(*utterances):
        about = {"conversation_id": "c", "conversation_type": "guided"}
        files = {
            "survey": [{"user_id": "ada", "self_description": "Kind.", "system_string": ""}],
            "conversations": [about | {"generated_datetime": "2023-11-02 15:55:46"}],
            "utterances": utterances,
        }
        for name, rows in files.items():
            lines = "".join(f"{json.dumps(each)}\n" for each in rows)
            (tmp_path / f"{name}.jsonl").write_text(lines)
        return tmp_path

    return lay_out


def test_the_chosen_is_preferred_to_what_scored_lower_and_ties_stay_ties(folder):
    path = folder(row("a", 90, True), row("b", 20), row("c", 90))
    profile, *preferences = read("prism", path)
    assert (profile.kind, profile.output) == ("profile", "Kind.")
    user = User("ada", tuple(preferences))
    assert [pair.rejected for pair in pairs(user)] == ["answer b"]
    assert [pair.tie for pair in pairs(user, ties=True)] == [False, True]
    assert {record.source for record in preferences} == {"prism"}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (row("x", float("nan")), "'score' must be a number; got nan"),
        (row("x", "high"), "'score' must be a number; got 'high'"),
        (row("x", 1, conversation_id="lost"), "has no conversation 'lost'"),
        (row("x", 1, model_response=None), "'model_response' must be a str"),
        (row("x", 1, model_response="y" * 1_000_001), "at most 1,000,000 characters"),
    ],
)
def test_a_malformed_utterance_is_a_problem_and_the_rest_is_taken(folder, wrong, reason):
    found = list(read("prism", folder(row("a", 90, True), wrong, row("b", 20))))
    (problem,) = [each for each in found if isinstance(each, Problem)]
    assert (problem.line, reason in problem.reason) == (2, True)
    assert "answer b" in [each.rejected for each in found if not isinstance(each, Problem)]


def test_a_folder_without_the_files_is_told_which(tmp_path):
    with pytest.raises(InvalidFile, match=r"has no utterances.jsonl; PRISM is a folder with surv"):
        list(read("prism", tmp_path))


def scored(number, **fields):
    answers = {f"response_{n}": f"answer {number}.{n}" for n in range(1, 9)}
    scores = {
        f"response_{n}_{m}": (n * p) % 8 for p, m in ((1, "a"), (3, "b")) for n in range(1, 9)
    }
    return {"prompt": f"prompt {number}", **answers, **scores, **fields}


def test_simulated_people_prefer_what_their_weights_say(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f"{json.dumps(scored(n))}\n" for n in range(4)))
    found = list(read("personalllm", path, people=3, past=2, seed=5))
    assert [record.user for record in found] == [f"simulated-{n}" for n in (0, 0, 1, 1, 2, 2)]
    assert {record.kind for record in found} == {"preference"}
    assert found == list(read("personalllm", path, people=3, past=2, seed=5))
    assert found != list(read("personalllm", path, people=3, past=2, seed=6))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "high"])
def test_a_score_that_is_no_number_names_its_line(tmp_path, value):
    path = tmp_path / "train.jsonl"
    rows = (scored(0), scored(1, response_3_a=value))
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    with pytest.raises(InvalidFile, match=r"train.jsonl:2: 'response_3_a' must be a number"):
        list(read("personalllm", path))


@pytest.mark.parametrize("options", [{"people": 0}, {"past": 0}, {"seed": -1}, {"alpha": 0.0}])
def test_a_number_that_makes_up_nobody_is_refused(tmp_path, options):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(scored(0)))
    with pytest.raises(UsageError, match=r"at least|above 0"):
        list(read("personalllm", path, **options))
