"""All rubrics by name."""

from __future__ import annotations

from ipse.errors import unknown
from ipse.evaluation.judging.expert import EXPERT
from ipse.evaluation.judging.lamp_qa import LAMP_QA
from ipse.evaluation.judging.locomo import LOCOMO
from ipse.evaluation.judging.longmemeval import LONGMEMEVAL
from ipse.evaluation.judging.pairwise import PAIRWISE
from ipse.evaluation.judging.prefeval import PREFEVAL
from ipse.evaluation.judging.rubric import Rubric

__all__ = ["RUBRICS", "find_rubric"]

RUBRICS: dict[str, Rubric] = {
    rubric.name: rubric for rubric in (EXPERT, LAMP_QA, LOCOMO, LONGMEMEVAL, PAIRWISE, PREFEVAL)
}


def find_rubric(name: str) -> Rubric:
    """Give the rubric of a name.

    Args:
        name: A name in `RUBRICS`.

    Returns:
        The rubric.

    Raises:
        Unknown: If there is none.
    """
    if name not in RUBRICS:
        raise unknown("rubric", name, RUBRICS)
    return RUBRICS[name]
