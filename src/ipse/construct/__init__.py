"""Construct: preference data that nobody gave, made for training and for tests.

Simulated people here; what a model makes up of stated values, of a person's conversations and of
personas in the other files. All of it says what it is: see `base`.
"""

from __future__ import annotations

from ipse.construct.base import MARK, constructed, owner
from ipse.construct.editors import WISHES, Editor, Wish, editors
from ipse.construct.simulated import Reward, Rule, Simulated, choices, simulated, standardized

__all__ = [
    "MARK",
    "WISHES",
    "Editor",
    "Reward",
    "Rule",
    "Simulated",
    "Wish",
    "choices",
    "constructed",
    "editors",
    "owner",
    "simulated",
    "standardized",
]
