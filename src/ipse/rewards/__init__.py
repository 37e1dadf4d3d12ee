"""Rewards: how much of an attribute a text has, and how much a person likes it.

Attributes are counted. Learned rewards are made of what people preferred to what: pure functions of
numbers that describe texts, with numpy alone. Nothing here knows a record, a model or a method.
"""

from ipse.rewards.asking import ASKING, Asking, Belief, Question, ask
from ipse.rewards.attributes import ATTRIBUTES, Attribute, measure
from ipse.rewards.group import Group
from ipse.rewards.learning import Arrays, Compared, Learner
from ipse.rewards.low_rank import LowRank, Online
from ipse.rewards.variational import Variational

__all__ = [
    "ASKING",
    "ATTRIBUTES",
    "Arrays",
    "Asking",
    "Attribute",
    "Belief",
    "Compared",
    "Group",
    "Learner",
    "LowRank",
    "Online",
    "Question",
    "Variational",
    "ask",
    "measure",
]
