"""Tasks: data sets made into questions, one file each."""

from ipse.evaluation.tasks.ukpconvarg_reason import UkpconvargReason

__all__ = ["UkpconvargReason"]
