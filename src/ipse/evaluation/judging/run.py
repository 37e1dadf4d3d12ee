"""Let models judge written answers, and keep every verdict in a file.

    judged.jsonl   one line for each thing a judge was asked

The lines of an answer stand together; `left` says how many are still to come, and the one with
none left holds the scores. So a run that is killed goes on where it was: what stands behind the
last whole answer is cut off, and what stands before it is not asked again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BufferedWriter
from pathlib import Path
from typing import Any

from ipse.errors import Conflict, InvalidFile, UsageError
from ipse.evaluation.judging.answer import KEY, Answer
from ipse.evaluation.judging.asking import SYSTEM, Verdict
from ipse.evaluation.judging.rubric import Judged, Rubric
from ipse.evaluation.judging.rubrics import RUBRICS, find_rubric
from ipse.evaluation.judging.summary import Summary, summarize
from ipse.lm import LM
from ipse.methods.base import Steps
from ipse.methods.steps import finish_all
from ipse.plan import Plan

__all__ = ["judge_all", "judged_path", "read_judged"]

_AT_ONCE = 32
"""Answers judged side by side; as many may have to be judged again after a kill."""

_NEEDED = (*KEY, "rubric", "judge", "group", "of", "question", "about", "verdict", "left", "scores")
_KEY = (*KEY, "rubric", "judge")

Line = dict[str, Any]
Case = tuple[Answer, Rubric]


def judge_all(
    answers: Sequence[Answer],
    judges: Sequence[LM],
    out: Path,
    *,
    rubric: str = "",
    thinking: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> list[Summary]:
    """Let every judge judge every answer, as far as that has not been done.

    Args:
        answers: What was written.
        judges: The models that judge, one after the other.
        out: Where verdicts are kept.
        rubric: How to judge; where it is "", by each task's own rubric.
        thinking: Tokens that judges may spend before they reply.
        progress: Told which judge is at work, and which share of everything is done.

    Returns:
        The summaries of all that is in the file, from earlier runs too.

    Raises:
        UsageError: If there is nothing to judge, or a judge is named twice.
        Conflict: If the file holds verdicts on another text under the same name, or another
            process writes it.
    """
    cases = _cases(answers, rubric)
    names = [lm.base for lm in judges]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"the judge {twice!r} is named twice, and would agree with itself")
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("ab") as file:
        _lock(file, out)
        lines, end = _read(out)
        file.truncate(end)
        digests = {tuple(line[name] for name in _KEY): line["of"] for line in lines}
        for place, lm in enumerate(judges):
            todo = [case for case in cases if not _is_done(case, lm.base, digests, out)]
            for start in range(0, len(todo), _AT_ONCE):
                if progress:
                    share = 1 - (len(todo) - start) / len(cases)
                    progress(f"judging: {lm.base}", (place + share) / len(judges))
                batch = todo[start : start + _AT_ONCE]
                file.writelines(_judged(batch, lm, thinking))
                file.flush()
    return summarize(read_judged(out))


def judged_path(results: Path) -> Path:
    """Give where the verdicts on some results are kept: beside them."""
    return (results if results.is_dir() else results.parent) / "judged.jsonl"


def read_judged(path: Path) -> list[Line]:
    """Read what was judged, without prompts and replies, which make up most of it.

    Args:
        path: The file; it need not be there.

    Returns:
        The lines of whole answers.

    Raises:
        InvalidFile: If a line is not what it should be.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Line], int]:
    """Give the lines of whole answers, and the place in the file where they end."""
    kept: list[Line] = []
    waiting: list[Line] = []
    end = whole = 0
    if not path.exists():
        return kept, whole
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                break
            end += len(raw)
            waiting.append(_line(path, number, raw))
            if waiting[-1]["left"] == 0:
                kept += waiting
                waiting, whole = [], end
    return kept, whole


def _cases(answers: Sequence[Answer], name: str) -> list[Case]:
    """Give what is to be judged by what; refuse before anything is asked."""
    wanted = ((answer, name or answer.rubric) for answer in answers)
    named = [(answer, find_rubric(rubric)) for answer, rubric in wanted if rubric]
    cases = [(answer, rubric) for answer, rubric in named if rubric.applies(answer)]
    if not cases:
        raise UsageError(
            f"none of {len(answers)} written answers has a rubric that judges it. Name one by "
            f"--rubric: {', '.join(RUBRICS)}"
        )
    for answer, rubric in cases:
        rubric.check(answer)
    return cases


def _is_done(case: Case, judge: str, digests: dict[tuple[str, ...], str], out: Path) -> bool:
    answer, rubric = case
    known = digests.get((*answer.key, rubric.name, judge))
    if known not in (None, rubric.digest(answer)):
        raise Conflict(
            f"{out} holds verdicts on another answer of {answer.method!r} to {answer.item!r} of "
            f"{answer.task!r}: the results have changed. Name another file by --out"
        )
    return known is not None


def _judged(batch: Sequence[Case], lm: LM, thinking: int) -> list[bytes]:
    """Let one judge judge a batch side by side; each answer's lines are written as one."""
    steps: list[Judged | Steps[Judged]] = [
        _roomy(rubric.judge(answer), thinking) for answer, rubric in batch
    ]
    found = zip(batch, finish_all(steps, lm), strict=True)
    return [_encoded(_lines(case, lm.base, judged)) for case, judged in found]


def _roomy(steps: Steps[Judged], thinking: int) -> Steps[Judged]:
    """Give every reply more tokens, for models that think before they answer."""
    reply = None
    while True:
        try:
            plan = steps.send(reply)
        except StopIteration as stop:
            judged: Judged = stop.value
            return judged
        assert isinstance(plan, Plan)
        tokens = plan.sampling.max_tokens + thinking
        reply = yield replace(plan, sampling=replace(plan.sampling, max_tokens=tokens))


def _lines(case: Case, judge: str, judged: Judged) -> Iterator[Line]:
    answer, rubric = case
    named = dict(zip(KEY, answer.key, strict=True))
    digest = rubric.digest(answer)
    for left in reversed(range(len(judged.verdicts))):
        verdict = judged.verdicts[-1 - left]
        yield {
            "type": "judged",
            **named,
            "group": answer.group,
            "of": digest,
            "rubric": rubric.name,
            "judge": judge,
            "question": verdict.question,
            "about": verdict.about,
            "prompt": _prompt(verdict),
            "raw": verdict.raw,
            "verdict": verdict.plain,
            "tries": verdict.tries,
            "left": left,
            "scores": {} if left else dict(judged.scores),
        }


def _prompt(verdict: Verdict[Any]) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": verdict.prompt},
    ]


def _lock(file: BufferedWriter, path: Path) -> None:
    """Keep other processes from writing the file as long as it is open."""
    try:
        import fcntl  # not on Windows, where two runs into one file are not kept apart
    except ModuleNotFoundError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise Conflict(f"another process is writing {path}. Wait, or name another --out") from error


def _encoded(lines: Iterator[Line]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(
        "utf-8", "replace"
    )


def _line(path: Path, number: int, raw: bytes) -> Line:
    try:
        line = json.loads(raw)
    except ValueError as error:
        raise InvalidFile(f"{path}:{number}: not JSON: {error}") from error
    lacking = [name for name in _NEEDED if not isinstance(line, dict) or name not in line]
    if lacking or line.get("type") != "judged":
        raise InvalidFile(f"{path}:{number}: not a line of verdicts: it lacks {lacking}")
    return {name: line[name] for name in _NEEDED}
