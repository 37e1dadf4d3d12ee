from __future__ import annotations

import json

import pytest

from ipse.errors import Conflict, InvalidFile, Unknown, UsageError
from ipse.evaluation.judging.run import judge_all, read_judged
from tests.evaluation.judging import ScriptedJudge, answer

HELPFUL = "help with the question"


def some(count=3, **fields):
    known = {"rubric": "prefeval", "meta": {"preference": "vegan"}}
    return [answer(item=f"i{i}", person=f"p{i}", **{**known, **fields}) for i in range(count)]


def judge(base="x", **fields):
    return ScriptedJudge(base, **{"default": "no", "rules": {HELPFUL: "yes"}, **fields})


def test_every_verdict_is_kept_with_what_was_asked_and_said(tmp_path):
    out = tmp_path / "new" / "judged.jsonl"
    judge_all(some(1), [judge()], out)
    first, second, last = [json.loads(text) for text in out.read_text().splitlines()]
    assert first["type"] == "judged"
    assert (first["person"], first["item"], first["rubric"], first["judge"]) == (
        *("p0", "i0"),
        *("prefeval", "x"),
    )
    assert [m["role"] for m in first["prompt"]] == ["system", "user"]
    assert "vegan" in first["prompt"][1]["content"]
    assert (first["question"], first["raw"], first["verdict"]) == ("acknowledge", "no", False)
    assert [one["left"] for one in (first, second, last)] == [2, 1, 0]
    assert first["scores"] == {}
    assert last["scores"]["preference_following"] == 1


def test_answers_are_judged_side_by_side(tmp_path):
    lm, told = judge(), []
    judge_all(some(40), [lm], tmp_path / "j.jsonl", progress=lambda *one: told.append(one))
    assert told == [("judging: x", 0), ("judging: x", 32 / 40)]
    assert lm.batches == [32, 32, 32, 8, 8, 8]  # three checks each
    assert all(plan.sampling.temperature == 0 for plan in lm.plans)


def test_what_was_judged_is_not_asked_again(tmp_path):
    out = tmp_path / "j.jsonl"
    judge_all(some(2), [judge()], out)
    before = out.read_bytes()
    lm, other = judge(), judge("y")
    found = judge_all(some(3), [lm, other], out)
    assert out.read_bytes().startswith(before)
    assert len(lm.plans) == 3  # the third answer
    assert len(other.plans) == 9
    assert list(found[0].judges) == ["x", "y"]


def test_a_run_cut_off_anywhere_goes_on_to_the_same_file(tmp_path):
    out = tmp_path / "j.jsonl"
    judge_all(some(2), [judge()], out)
    whole = out.read_bytes()
    ends = [i + 1 for i in range(len(whole)) if whole[i : i + 1] == b"\n"]
    for cut in [0, 1, *(end + shift for end in ends for shift in (-1, 0, 7))]:
        out.write_bytes(whole[:cut])
        assert len(read_judged(out)) in (0, 3, 6)
        assert out.read_bytes() == whole[:cut]  # reading changes nothing
        lm = judge()
        judge_all(some(2), [lm], out)
        assert out.read_bytes() == whole
        assert len(lm.plans) == (0 if cut >= len(whole) else 3 if cut >= ends[2] else 6)


def test_a_judge_that_fails_leaves_what_was_judged_before(tmp_path):
    class Failing(ScriptedJudge):
        def generate(self, plans, on_progress=None):
            if len(self.batches) == 3:
                raise ConnectionError
            return ScriptedJudge.generate(self, plans)

    out = tmp_path / "j.jsonl"
    with pytest.raises(ConnectionError):
        judge_all(some(40), [Failing("x", {HELPFUL: "yes"}, "no")], out)
    assert len(read_judged(out)) == 3 * 32


def test_verdicts_on_another_text_are_not_taken_for_verdicts_on_this_one(tmp_path):
    out = tmp_path / "j.jsonl"
    judge_all(some(1), [judge()], out)
    judge_all(some(1, generic="now it is there"), [judge()], out)  # prefeval does not read it
    with pytest.raises(Conflict, match="results have changed"):
        judge_all(some(1, output="Steak!"), [judge()], out)


def test_two_runs_do_not_write_one_file(tmp_path):
    out = tmp_path / "j.jsonl"

    class Nested(ScriptedJudge):
        def generate(self, plans, on_progress=None):
            judge_all(some(1), [judge("y")], out)

    with pytest.raises(Conflict, match="another process"):
        judge_all(some(1), [Nested()], out)


def test_a_damaged_line_is_an_error_that_names_it(tmp_path):
    out = tmp_path / "j.jsonl"
    judge_all(some(1), [judge()], out)
    for bad in ("{}", "[]", "nonsense", '{"type": "judged"}'):
        damaged = tmp_path / "damaged.jsonl"
        damaged.write_text(bad + "\n" + out.read_text())
        with pytest.raises(InvalidFile, match=r"damaged\.jsonl:1"):
            read_judged(damaged)


def test_a_thinking_judge_gets_room_to_think(tmp_path):
    few, more = judge(), judge()
    judge_all(some(1), [few], tmp_path / "a.jsonl")
    judge_all(some(1), [more], tmp_path / "b.jsonl", thinking=500)
    for one, two in zip(few.plans, more.plans, strict=True):
        assert two.sampling.max_tokens == one.sampling.max_tokens + 500


def test_what_cannot_be_judged_is_refused_before_anything_is_asked(tmp_path):
    lm, out = judge(), tmp_path / "j.jsonl"
    with pytest.raises(UsageError, match="named twice"):
        judge_all(some(), [lm, lm], out)
    with pytest.raises(UsageError, match="none of 3 written answers"):
        judge_all(some(rubric=""), [lm], out)
    with pytest.raises(InvalidFile, match="needs a target"):
        judge_all(some(), [lm], out, rubric="expert")
    with pytest.raises(Unknown, match="prefeval"):
        judge_all(some(), [lm], out, rubric="perfeval")
    assert not lm.plans
    assert not out.exists()


def test_a_rubric_by_name_goes_before_the_tasks_own(tmp_path):
    found = judge_all(
        some(2, target="soup"), [judge(default="wrong")], tmp_path / "j", rubric="locomo"
    )
    assert [(s.rubric, s.score.mean) for s in found] == [("locomo", 0)]
