import gzip
import importlib.util
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from ipse.errors import InvalidFile, Unknown
from ipse.importers import Problem, read, sample_path, ukpconvarg

ROOT = Path(__file__).parents[2]
WHOLE = Path(os.environ.get("IPSE_SHARED", ROOT.parent / "shared")) / "data" / "ukpconvarg"

SLUG = "ban-plastic-water-bottles_no-bad-for-the-economy"


def argument(name, text):
    return {"arg_id": name, "topic": SLUG, "author": "w", "stance": "No", "text": text}


def judgement(choice="a2", arg2="y", user="u1", **more):
    fields = {"user_id": user, "pair_id": f"x_{arg2}", "topic": SLUG, "arg1": "x", "arg2": arg2}
    return fields | {"choice": choice, "reason": "It is clear.", "worker_stance": None} | more


ARGUMENTS = [argument("x", "Water is life."), argument("y", "Jobs."), argument("z", "Jobs.")]


def written(tmp_path, *judgements, arguments=ARGUMENTS):
    for name, entries in (("annotations", judgements), ("arguments", arguments)):
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in entries]
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(raw))
    return tmp_path


def test_a_judgement_is_a_reason_and_a_choice(tmp_path):
    content, preference = read("ukpconvarg", written(tmp_path, judgement()))
    assert content.input == (
        "Topic: Ban plastic water bottles (No bad for the economy)\n\n"
        "Argument 1: Water is life.\n\nArgument 2: Jobs.\n\n"
        "More convincing: argument 2.\n\nSay why, in one sentence."
    )
    assert (content.kind, content.output) == ("content", "It is clear.")
    assert (preference.output, preference.rejected) == ("Jobs.", "Water is life.")
    assert content.uses == preference.uses == {"prompt", "train", "share"}
    assert content.time == ukpconvarg.START
    assert (preference.time - content.time).total_seconds() == 0
    assert preference.meta == content.meta
    assert content.meta == {
        "pair_id": "x_y", "arg1": "x", "arg2": "y", "choice": "a2", "worker_stance": None,
        "topic": "Ban plastic water bottles", "stance": "No bad for the economy",
    }  # fmt: skip


def test_a_tie_keeps_the_order_and_says_so(tmp_path):
    content, preference = read("ukpconvarg", written(tmp_path, judgement("equal")))
    assert "More convincing: both alike." in content.input
    assert (preference.output, preference.rejected) == ("Water is life.", "Jobs.")
    assert preference.meta["tie"] is True


def test_two_arguments_of_one_text_are_no_preference(tmp_path):
    (record,) = read("ukpconvarg", written(tmp_path, judgement(arg1="y", arg2="z")))
    assert record.kind == "content"


def test_order_is_time_within_a_person_and_some_people_can_be_read(tmp_path):
    path = written(tmp_path, judgement(), judgement(user="u2"), judgement("a1"))
    everyone = list(read("ukpconvarg", path))
    minutes = [(r.time - ukpconvarg.START).total_seconds() / 60 for r in everyone[::2]]
    assert minutes == [0, 0, 1]
    assert list(read("ukpconvarg", path, user="u2")) == everyone[2:4]
    assert list(read("ukpconvarg", path, user=["u1", "nobody"])) == everyone[:2] + everyone[4:]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        ({"user_id": "u"}, "'pair_id' is missing"),
        (judgement(reason=None), "'reason' is missing or not text"),
        (judgement(reason=" "), "say something"),
        (judgement("a3"), "unknown choice 'a3'"),
        (judgement(arg2="q"), "unknown arg2 'q'"),
    ],
)
def test_a_malformed_line_is_one_problem(tmp_path, line, reason):
    first, second, problem, *rest = read(
        "ukpconvarg", written(tmp_path, judgement(user="a"), line, judgement(user="b"))
    )
    assert isinstance(problem, Problem)
    assert (Path(problem.file).name, problem.line) == ("annotations.jsonl", 2)
    assert reason in problem.reason
    assert [record.kind for record in (first, second, *rest)] == ["content", "preference"] * 2


def test_a_malformed_argument_is_a_problem_of_its_file(tmp_path):
    path = written(tmp_path, arguments=[*ARGUMENTS, {"arg_id": "q"}])
    (problem,) = read("ukpconvarg", path)
    assert (Path(problem.file).name, problem.line) == ("arguments.jsonl", 4)
    assert set(ukpconvarg.arguments(path)) == {"x", "y", "z"}


def test_a_folder_without_the_files_is_an_error(tmp_path):
    with pytest.raises(InvalidFile, match=r"annotations\.jsonl or"):
        read("ukpconvarg", tmp_path)


def test_a_prompt_can_be_cut_to_words_and_knows_its_choices():
    cut = ukpconvarg.prompt("T", "S", "one two three", "one\ntwo", "a1", words=2)
    assert "Argument 1: one two …\n\nArgument 2: one\ntwo\n\n" in cut
    with pytest.raises(Unknown, match="Known: a1, a2, equal"):
        ukpconvarg.prompt("T", "S", "", "", "a3")


@pytest.fixture(scope="module")
def sample():
    return list(read("ukpconvarg", sample_path()))


def test_the_sample_is_sixty_people_with_sixty_judgements(sample):
    counts = Counter(record.user for record in sample if record.kind == "content")
    assert len(counts) == 60
    assert min(counts.values()) >= 60
    assert len({record.id for record in sample}) == len(sample)


def test_a_samples_input_can_be_rendered_again_from_its_ids(sample):
    texts = ukpconvarg.arguments(sample_path())
    for record in (record for record in sample[:500] if record.kind == "content"):
        meta = record.meta
        pair = texts[meta["arg1"]].text, texts[meta["arg2"]].text
        again = ukpconvarg.prompt(meta["topic"], meta["stance"], *pair, meta["choice"])
        assert again == record.input


def test_the_sample_is_under_a_megabyte_and_says_whose_it_is():
    files = list(sample_path().iterdir())
    assert sum(file.stat().st_size for file in files) < 1_000_000
    assert "CC-BY 4.0" in (sample_path() / "ATTRIBUTION.md").read_text()


@pytest.mark.skipif(not WHOLE.is_dir(), reason=f"needs the whole data set at {WHOLE}")
def test_the_sample_is_what_its_script_makes(tmp_path):
    script = ROOT / "runs" / "make_sample.py"
    spec = importlib.util.spec_from_file_location("make_sample", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.build(WHOLE, tmp_path).startswith("60 people")
    for name in ("annotations.jsonl.gz", "arguments.jsonl.gz"):
        # Not the packed bytes: another zlib may pack the same text differently.
        rebuilt = gzip.decompress((tmp_path / name).read_bytes())
        assert rebuilt == gzip.decompress((sample_path() / name).read_bytes())
