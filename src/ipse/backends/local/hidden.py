"""Hidden states of texts: one vector a plan and layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipse.backends.local.chunks import PLACE
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.reading import Places, Reading, read
from ipse.errors import InvalidPlan
from ipse.lm import Hidden
from ipse.plan import Plan

__all__ = ["find_layer", "hidden", "same_length"]


def hidden(places: Places, ask: Hidden) -> NDArray[np.float32]:
    """Give hidden states, (plans, layers, hidden).

    Args:
        places: Gives where a model is run.
        ask: Which.

    Returns:
        One vector a plan and layer.

    Raises:
        InvalidPlan: If the ask makes no sense.
    """
    same_length(ask.plans, ask.targets)
    if len(models := {plan.main.model for plan in ask.plans}) > 1:
        shown = ", ".join(sorted(str(name) for name in models))
        raise InvalidPlan(f"hidden states of one ask are one model's; got the models {shown}")
    model = places(models.pop()).model
    layers = [find_layer(each, model.core.layers) for each in ask.layers]
    if not layers:
        raise InvalidPlan("hidden states are those behind some layers; name one at least")
    rows = [
        _reading(model, plan, target, ask.position == "mean")
        for plan, target in zip(ask.plans, ask.targets, strict=True)
    ]
    found = np.empty((len(rows), len(layers), model.core.hidden), np.float32)
    for states in read(places, rows, lambda model, chunks: model.states(chunks, layers)):
        for i, each in states.items():  # (tokens, layers, hidden)
            found[i] = each.float().mean(0).cpu().numpy()
    return found


def _reading(model: LanguageModel, plan: Plan, target: str, every: bool) -> Reading:
    """Give what is read, with the place from which states are wanted."""
    prompt, ids = model.prompt(plan.main.messages), model.tokens(target)
    model.fits(len(prompt), len(ids))
    whole = (*prompt, *ids)
    first = len(whole) - 1
    if every:
        first = len(prompt) if ids else 0
    return Reading(plan.main, (*whole, PLACE), len(prompt), first + 1)


def find_layer(layer: int, layers: int) -> int:
    """Give a layer's number, counted from 0.

    Args:
        layer: The layer; negative counts from the last.
        layers: How many there are.

    Returns:
        Its number.

    Raises:
        InvalidPlan: If there is none.
    """
    if not -layers <= layer < layers:
        raise InvalidPlan(f"there is no layer {layer}: the model has {layers}")
    return layer % layers


def same_length(plans: Sequence[Plan], *texts: Sequence[str]) -> None:
    """Refuse an ask that has not one text of each sort a plan.

    Args:
        plans: The plans.
        *texts: The texts, sort by sort.

    Raises:
        InvalidPlan: If there is no plan, or not as many texts.
    """
    if not plans or any(len(each) != len(plans) for each in texts):
        counts = ", ".join(str(len(each)) for each in texts)
        raise InvalidPlan(f"as many texts as plans are needed, and one at least; "
                          f"got {len(plans)} plans and {counts} texts")  # fmt: skip
