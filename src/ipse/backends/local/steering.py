"""Hidden states of texts, and steering vectors trained from preference pairs.

The model is frozen; the one thing that has a gradient is the vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Attention, Span
from ipse.backends.local.chunks import PLACE, Chunk, Steered, inputs, reading_adapters, steer
from ipse.backends.local.lora import Extras
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.requests import Place
from ipse.backends.local.scoring import Places
from ipse.errors import InvalidPlan
from ipse.lm import FitSteering, Hidden
from ipse.plan import Plan

__all__ = ["chunk_of", "fit_steering", "hidden", "same_length"]

_WARM = 0.1
"""The share of the updates in which the learning rate rises."""


def hidden(places: Places, ask: Hidden) -> NDArray[np.float32]:
    """Give hidden states, (plans, hidden).

    Args:
        places: Gives where a model is run.
        ask: Which.

    Returns:
        One vector a plan.
    """
    same_length(ask.plans, ask.targets)
    core = places(None).model.core
    layer = _layer(ask.layer, core.layers)
    found = np.zeros((len(ask.plans), core.hidden), np.float32)  # (plans, hidden)
    for line, plan, target in zip(found, ask.plans, ask.targets, strict=True):
        place = places(plan.main.model)
        with place.attachments.attaching(plan.main) as attached:
            chunk, start = chunk_of(place.model, plan, target, attached)
            states = place.model.read([chunk], layer + 1)  # (tokens, hidden)
        chosen = states[-1:] if ask.position == "last" else states[start if target else 0 :]
        line[:] = chosen.float().mean(0).cpu().numpy()
    return found


def fit_steering(places: Places, ask: FitSteering) -> NDArray[np.float32]:
    """Train a steering vector, (hidden,), by bi-directional preference optimization.

    Args:
        places: Gives where a model is run.
        ask: The pairs and how to train; its docstring has the equation.

    Returns:
        The vector.
    """
    same_length(ask.plans, ask.chosen, ask.rejected)
    place = places(None)
    core = place.model.core
    layer = _layer(ask.layer, core.layers)
    vector = torch.zeros(core.hidden, device=core.device, requires_grad=True)
    update = torch.optim.AdamW([vector], lr=ask.rate, weight_decay=ask.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(update, lambda at: _rate(at, ask.steps))
    chance = torch.Generator().manual_seed(ask.seed % 2**63)
    frozen: dict[int, Tensor] = {}  # what the model gives without the vector, (2,), by pair
    order: list[int] = []
    for _ in range(ask.steps):
        while len(order) < ask.batch:
            order += torch.randperm(len(ask.plans), generator=chance).tolist()
        batch, order = order[: ask.batch], order[ask.batch :]
        sign = 1.0 if torch.rand(1, generator=chance) < 0.5 else -1.0
        update.zero_grad()
        for pair in batch:
            if pair not in frozen:
                with torch.no_grad():
                    frozen[pair] = _likelihoods(place, ask, pair, None)
            gains = _likelihoods(place, ask, pair, (layer, 0, sign * vector)) - frozen[pair]
            loss = -functional.logsigmoid(sign * ask.beta * (gains[0] - gains[1]))
            vector.grad = _added(vector.grad, torch.autograd.grad(loss / len(batch), vector)[0])
        update.step()
        schedule.step()
    return vector.detach().cpu().numpy().astype(np.float32)


def _added(total: Tensor | None, more: Tensor) -> Tensor:
    return more if total is None else total + more


def _likelihoods(place: Place, ask: FitSteering, pair: int, added: Steered | None) -> Tensor:
    """Give the log-likelihoods of what was chosen and rejected, in nats, (2,)."""
    plan, model = ask.plans[pair], place.model
    sums = []
    with place.attachments.attaching(plan.main) as attached:
        for text in (ask.chosen[pair], ask.rejected[pair]):
            chunk, start = chunk_of(model, plan, text, attached, added)
            target = torch.tensor(chunk.ids[start:], device=model.device)
            states = _run(model, chunk)[start - 1 : -1]  # (target, hidden)
            logprobs = torch.log_softmax(model.core.logits(states), dim=-1)
            sums.append(logprobs.gather(-1, target[:, None]).sum())
    return torch.stack(sums)


def _run(model: LanguageModel, chunk: Chunk) -> Tensor:
    """Read as `LanguageModel.read` does, with gradients."""
    with model.turn:
        x, places = inputs(model.core, [chunk])
        extras = Extras((), reading_adapters([chunk]))
        return model.core.run(x, places, Attention((), [chunk.span]), extras, steer([chunk]))


def chunk_of(
    model: LanguageModel,
    plan: Plan,
    target: str,
    attached: Attached,
    added: Steered | None = None,
) -> tuple[Chunk, int]:
    """Give what a plan's main stream and a text behind it read, and where the text begins.

    Args:
        model: What reads.
        plan: The plan.
        target: The text.
        attached: What the stream attaches.
        added: A steering vector that is added besides.

    Returns:
        What is read, and the place where the text begins.
    """
    prompt, ids = model.prompt(plan.main.messages), model.tokens(target)
    model.fits(len(prompt), len(ids))
    every = (*(PLACE,) * attached.length, *prompt, *ids)
    steering = [*attached.steered(len(prompt)), *([added] if added else [])]
    chunk = Chunk(every, 0, Span(0, len(every)), attached, steering)
    return chunk, attached.length + len(prompt)


def _layer(layer: int, layers: int) -> int:
    if not -layers <= layer < layers:
        raise InvalidPlan(f"there is no layer {layer}: the model has {layers}")
    return layer % layers


def same_length(plans: Sequence[Plan], *texts: Sequence[str]) -> None:
    """Refuse texts that are not one a plan, and no plan at all.

    Args:
        plans: The plans.
        *texts: Texts, as many as plans each.

    Raises:
        InvalidPlan: If there are more or fewer.
    """
    if not plans or any(len(each) != len(plans) for each in texts):
        counts = ", ".join(str(len(each)) for each in texts)
        raise InvalidPlan(f"as many texts as plans are needed, and one at least; "
                          f"got {len(plans)} plans and {counts} texts")  # fmt: skip


def _rate(at: int, steps: int) -> float:
    """Give the share of the highest rate at an update: up at first, then down along a cosine."""
    warm = max(1, round(_WARM * steps))
    if at < warm:
        return (at + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (at - warm) / max(1, steps - warm)))
