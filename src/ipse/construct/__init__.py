"""Construct: preference data that nobody gave, made for training and for tests.

Simulated people here; what a model makes up of stated values, of a person's conversations and of
personas in the other files. All of it says what it is: see `base`.
"""

from __future__ import annotations

from ipse.construct.base import MARK, constructed, owner
from ipse.construct.editors import WISHES, Editor, Wish, editors
from ipse.construct.personas import Personas
from ipse.construct.recall import Recall
from ipse.construct.simulated import Reward, Rule, Simulated, choices, simulated, standardized
from ipse.construct.values import VALUES, Values

__all__ = [
    "MARK",
    "VALUES",
    "WISHES",
    "Editor",
    "Personas",
    "Recall",
    "Reward",
    "Rule",
    "Simulated",
    "Values",
    "Wish",
    "choices",
    "constructed",
    "editors",
    "owner",
    "simulated",
    "standardized",
]
