"""What a model's modules read: the mean of their inputs, layer-normalized."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ipse.backends.local.attached import Attached
from ipse.backends.local.attention import Attention, Span
from ipse.backends.local.chunks import PLACE, Chunk, inputs, reading_adapters, steer
from ipse.backends.local.hidden import same_length
from ipse.backends.local.lora import Extras
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.network import Extra, Site
from ipse.backends.local.reading import Places
from ipse.lm import Inputs
from ipse.plan import Plan

__all__ = ["module_inputs"]


def module_inputs(places: Places, ask: Inputs) -> dict[str, NDArray[np.float32]]:
    """Give what modules read on average, (inputs,) by path.

    Args:
        places: Gives where a model is run.
        ask: What is read.

    Returns:
        The means; modules that read the same have the same.
    """
    same_length(ask.plans, ask.targets)
    sums = _Sums()
    for plan, target in zip(ask.plans, ask.targets, strict=True):
        place = places(plan.main.model)
        with place.attachments.attaching(plan.main) as attached:
            chunk, start = _chunk(place.model, plan, target, attached)
            _read(place.model, chunk, sums.of(start, Extras((), reading_adapters([chunk]))))
    core = places(None).model.core
    found = {at: (total / sums.tokens).cpu().numpy() for at, total in sums.totals.items()}
    return {path: found[part.layer, part.site] for path, part in core.parts.items()}


def _chunk(model: LanguageModel, plan: Plan, target: str, attached: Attached) -> tuple[Chunk, int]:
    """Give what is read of a plan and the text behind it, and the line where the text begins."""
    prompt, ids = model.prompt(plan.main.messages), model.tokens(target)
    model.fits(len(prompt), len(ids))
    every = (*(PLACE,) * attached.length, *prompt, *ids)
    span = Span(0, len(every))
    chunk = Chunk(every, 0, span, attached, attached.steered(len(prompt)))
    return chunk, attached.length + len(prompt)


@torch.inference_mode()
def _read(model: LanguageModel, chunk: Chunk, extra: Extra) -> None:
    with model.turn:
        x, places = inputs(model.core, [chunk])
        attend = Attention((), [chunk.span])
        model.core.run(x, places, attend, extra, steer([chunk]))


class _Sums:
    """Sums over tokens, by product; tokens are counted once."""

    def __init__(self) -> None:
        self.totals: dict[tuple[int, Site], Tensor] = {}
        self.tokens = 0

    def of(self, start: int, beside: Extra) -> _Listener:
        return _Listener(self, start, beside)


class _Listener:
    """Adds up what is read from a line on, and changes what is beside it alone."""

    def __init__(self, sums: _Sums, start: int, beside: Extra) -> None:
        self._sums, self._start, self._beside = sums, start, beside

    def add(self, layer: int, site: Site, x: Tensor, y: Tensor) -> Tensor:
        """Take note of `x`, as `network.Extra` says."""
        totals, read = self._sums.totals, x[self._start :].float()  # (tokens, inputs)
        if (layer, site) == (0, "qkv"):
            self._sums.tokens += len(read)
        total = functional.layer_norm(read, read.shape[-1:]).sum(0)
        totals[layer, site] = totals[layer, site] + total if (layer, site) in totals else total
        return self._beside.add(layer, site, x, y)
