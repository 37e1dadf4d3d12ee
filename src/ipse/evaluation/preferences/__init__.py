"""Rewards that are learned from pairs, measured: on films, arguments, reasons and made-up people.

It measures learners by themselves (`ipse.rewards`), on numbers; no language model has a part in it.
"""

from ipse.evaluation.preferences.active import asked_about
from ipse.evaluation.preferences.crowd import Crowd, Judge, Outcome, Scores, compare_learners
from ipse.evaluation.preferences.films import films, titles
from ipse.evaluation.preferences.learners import Alone, Everyones
from ipse.evaluation.preferences.reasons import Ties, choices, reasons, ties
from ipse.evaluation.preferences.simulated import Contestant, Regrets, regrets

__all__ = [
    "Alone",
    "Contestant",
    "Crowd",
    "Everyones",
    "Judge",
    "Outcome",
    "Regrets",
    "Scores",
    "Ties",
    "asked_about",
    "choices",
    "compare_learners",
    "films",
    "reasons",
    "regrets",
    "ties",
    "titles",
]
