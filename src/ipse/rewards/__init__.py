"""Rewards that need no model: how much of an attribute a text has."""

from ipse.rewards.attributes import ATTRIBUTES, Attribute, measure

__all__ = ["ATTRIBUTES", "Attribute", "measure"]
