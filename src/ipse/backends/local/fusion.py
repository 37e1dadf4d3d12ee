"""How the next-token distributions of a plan's streams become one: pure functions.

Each takes log-probabilities of shape (streams, ..., vocab) and gives (..., vocab), both float32, in
nats and normalized. A token that a stream rules out (-inf) stays ruled out, but for `power` with an
exponent above 0, which is a mean of probabilities.

`contrast`, `ftrl` and `shift` have an anchor, the last stream, whose weight is 1: it is what the
others push away from, the generic model as a rule. All three are linear in log-probabilities, so
that with every other weight 0 the anchor is left exactly, and a strength is a factor of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from ipse.errors import InvalidPlan, unknown
from ipse.plan import Fusion, Plan, Stream

__all__ = [
    "FUSIONS",
    "contrast",
    "ftrl",
    "fuse",
    "jensen",
    "linear",
    "live_streams",
    "power",
    "regret_gain",
    "shift",
]


def linear(logprobs: Tensor, weights: Sequence[float]) -> Tensor:
    """Mix log-linearly: `log p = sum_i w_i log p_i`, renormalised.

    MOD for the reverse Kullback-Leibler divergence (arXiv 2406.18853, eq. 7).

    Args:
        logprobs: One distribution a stream, (streams, ..., vocab).
        weights: One weight a stream.

    Returns:
        The mixture, (..., vocab).
    """
    mixed = logprobs[0] * weights[0]  # (..., vocab)
    for each, weight in zip(logprobs[1:], weights[1:], strict=True):
        mixed = torch.add(mixed, each, alpha=weight)
    return _normalized(mixed, logprobs)


def contrast(logprobs: Tensor, weights: Sequence[float], *, top: float = 0) -> Tensor:
    """Push away from the anchor: `log p = log p_a + sum_k w_k (log p_k - log p_a)`, renormalised.

    Context steering with several contexts, anchored on the reading without any (arXiv 2405.01768).
    With one context the paper anchors on the reading with it, `(1 + l) log p_c - l log p_a`: that
    is the same with `w = 1 + l`. Linear alignment is that form on a preference in words.

    With `top`, only the anchor's likeliest tokens are weighed against each other: they share out
    the probability they had together, and each other keeps its own. PAD (arXiv 2410.04070) leaves
    the others out; the likeliest is one of the top in both, so greedy decoding is the same.

    Args:
        logprobs: One distribution a stream, the anchor's last, (streams, ..., vocab).
        weights: How much each stream counts; the anchor's is not read.
        top: How many of the anchor's likeliest tokens are weighed; 0 is all.

    Returns:
        The contrast, (..., vocab).
    """
    fused = logprobs[-1]  # (..., vocab)
    for each, weight in zip(logprobs[:-1], weights[:-1], strict=True):
        fused = torch.add(fused, each - logprobs[-1], alpha=weight)
    fused = _normalized(fused, logprobs)
    return _screened(fused, logprobs[-1], int(top)) if 0 < top < fused.shape[-1] else fused


def ftrl(
    logprobs: Tensor,
    weights: Sequence[float],
    *,
    alpha: float,
    beta: float,
    rate: float,
    pull: float,
    steps: float,
    start: float = 0.0,
) -> Tensor:
    """Follow the regularized leader: Amulet (arXiv 2502.19148), CoSteer (arXiv 2507.04756).

    From `x_0 = 0` and with `d = sum_k w_k (log p_k - log p_a)`, for `t = 1 ... steps`:

        u_t = alpha x_{t-1} + beta d
        x_t = (sum_{s <= t} u_s + x_{t-1} / rate) / (t pull + 1 / rate)

    and `log p = log p_a + start d + x_steps`, renormalised. That is CoSteer's update, `x` standing
    for how far the policy is from where it started and `rate`, `pull` for its eta and lambda.
    Amulet's, times t, is the same with `beta = alpha`, begun at the preference (`start = 1`).
    Every `x_t` is `d` times a number, so the steps run on that number (`regret_gain`) instead of
    on the vocabulary: any number of steps costs what one does.

    Args:
        logprobs: One distribution a stream, the anchor's last, (streams, ..., vocab).
        weights: How much each stream counts in `d`; the anchor's is not read.
        alpha: How much the way gone so far counts.
        beta: How much the direction `d` counts.
        rate: The learning rate, eta.
        pull: How hard the start pulls back, lambda.
        steps: How many updates.
        start: How far along `d` the policy starts.

    Returns:
        The last policy, (..., vocab).
    """
    gain = start + regret_gain(alpha, beta, rate, pull, int(steps))
    return contrast(logprobs, [weight * gain for weight in weights])


@lru_cache
def regret_gain(alpha: float, beta: float, rate: float, pull: float, steps: int) -> float:
    """Give how many times its direction an FTRL policy goes in some steps, as in `ftrl`."""
    gone = total = 0.0
    for step in range(1, steps + 1):
        total += alpha * gone + beta
        gone = (total + gone / rate) / (step * pull + 1 / rate)
    return gone


def shift(logprobs: Tensor, weights: Sequence[float], *, beta: float) -> Tensor:
    """Add what attributes change in a small model: Drift (arXiv 2502.14289).

    `h = h_LLM + 1/beta sum_i p_i (h_i - h_base)`: the streams are the small model under each
    attribute, with weight `p_i`, the small model without any, with weight `-sum_i p_i`, and the
    large model, the anchor. Where one model is both, the second of these is the anchor itself.

    Args:
        logprobs: One distribution a stream, the anchor's last, (streams, ..., vocab).
        weights: How much each stream counts; the anchor's is not read.
        beta: How hard the large model holds on to its own.

    Returns:
        The shifted distribution, (..., vocab).
    """
    return contrast(logprobs, [weight / beta for weight in weights])


def power(logprobs: Tensor, weights: Sequence[float], *, exponent: float) -> Tensor:
    """Mix by a power mean: `p = (sum_i w_i p_i^exponent)^(1/exponent)`, renormalised.

    MOD for other divergences (arXiv 2406.18853): -1 is forward Kullback-Leibler (the
    harmonic mean), -a the alpha-divergence with parameter a; 0 is `linear` (the geometric mean),
    and 1 the plain mean of probabilities. The constant inside the paper's inverse is taken as 0.

    Args:
        logprobs: One distribution a stream, (streams, ..., vocab).
        weights: One weight a stream, at least 0; only their ratios count.
        exponent: The exponent.

    Returns:
        The mixture, (..., vocab).
    """
    shares = [weight / sum(weights) for weight in weights]
    if exponent == 0:
        return linear(logprobs, shares)
    factors = logprobs.new_tensor(shares).log().view(-1, *[1] * (logprobs.dim() - 1))
    mixed = torch.logsumexp(exponent * logprobs + factors, dim=0) / exponent  # (..., vocab)
    return _normalized(mixed, logprobs[:0] if exponent > 0 else logprobs)


def jensen(logprobs: Tensor, weights: Sequence[float]) -> Tensor:
    """Mix by the Jensen-Shannon form: `p = p_a / (prod_i (1 + p_a / p_i)^w_i - 1)`, renormalised.

    MOD for that divergence from a reference, the last stream (arXiv 2406.18853). The
    constant inside the paper's inverse is taken as 0.

    Args:
        logprobs: One distribution a stream, the reference's last, (streams, ..., vocab).
        weights: One weight a stream, at least 0, of which only ratios count; the reference's is 1.

    Returns:
        The mixture, (..., vocab).
    """
    reference = logprobs[-1]  # (..., vocab)
    if len(logprobs) == 1:
        return reference
    softplus = torch.nn.functional.softplus
    shares = [weight / sum(weights[:-1]) for weight in weights[:-1]]
    total = torch.zeros_like(reference)
    for each, weight in zip(logprobs[:-1], shares, strict=True):
        total = torch.add(total, softplus(reference - each), alpha=weight)
    total = total.clamp(min=torch.finfo(total.dtype).tiny)
    return _normalized(reference - total - torch.log(-torch.expm1(-total)), logprobs)


def _screened(fused: Tensor, anchor: Tensor, top: int) -> Tensor:
    """Let the anchor's likeliest tokens share what they have there as they would when fused."""
    known, inside = anchor.topk(top, dim=-1)  # (..., top) both
    share = fused.gather(-1, inside)
    none = (share == -torch.inf).all(-1, keepdim=True)  # then only what is not among them is left
    moved = torch.log_softmax(share.masked_fill(none, 0.0), dim=-1)
    moved = (moved + known.logsumexp(-1, keepdim=True)).masked_fill(none, -torch.inf)
    others = anchor.masked_fill(fused == -torch.inf, -torch.inf)
    return torch.log_softmax(others.scatter(-1, inside, moved), dim=-1)


def _normalized(scores: Tensor, logprobs: Tensor) -> Tensor:
    """Make scores a distribution that gives nothing to what any stream rules out."""
    if len(logprobs):
        out = logprobs.amin(0) == -torch.inf  # (..., vocab)
        nothing = out.all(-1, keepdim=True)  # streams that agree on nothing leave all tokens alike
        scores = scores.masked_fill(out, -torch.inf).masked_fill(nothing, 0.0)
    return torch.log_softmax(scores, dim=-1)


FUSIONS: dict[str, Callable[..., Tensor]] = {
    "contrast": contrast,
    "ftrl": ftrl,
    "jensen": jensen,
    "linear": linear,
    "power": power,
    "shift": shift,
}

_ANCHORED = frozenset({"contrast", "ftrl", "jensen", "shift"})
_POSITIVE = frozenset({"jensen", "power"})
_SETTINGS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "contrast": (frozenset(), frozenset({"top"})),
    "ftrl": (frozenset({"alpha", "beta", "rate", "pull", "steps"}), frozenset({"start"})),
    "power": (frozenset({"exponent"}), frozenset()),
    "shift": (frozenset({"beta"}), frozenset()),
}
"""Which settings a rule must have, and which it may have."""
_DIVISORS = {"ftrl": "rate", "shift": "beta"}


def live_streams(plan: Plan) -> tuple[tuple[Stream, ...], tuple[float, ...]]:
    """Give the streams that bear on the answer, and their weights.

    A stream of weight 0 says nothing and is not read: strength 0 is the generic model to the bit.

    Args:
        plan: The plan.

    Returns:
        Streams and weights; equal weights where the plan gives none.

    Raises:
        InvalidPlan: If every weight is 0.
    """
    if plan.fusion is None:
        return plan.streams, (1.0,)
    weights = plan.fusion.weights or (1 / len(plan.streams),) * len(plan.streams)
    _check(plan.fusion, weights)
    live = [(s, w) for s, w in zip(plan.streams, weights, strict=True) if w != 0]
    if not live:
        raise InvalidPlan("every weight of the fusion is 0; at least one stream must bear on it")
    return tuple(s for s, _ in live), tuple(w for _, w in live)


def _check(fusion: Fusion, weights: Sequence[float]) -> None:
    """Refuse what the rule could not run, before anything is read."""
    if fusion.kind not in FUSIONS:
        raise unknown("fusion", fusion.kind, FUSIONS)
    if fusion.kind in _ANCHORED and weights[-1] != 1:
        raise InvalidPlan(f"the last stream of {fusion} is its anchor, so its weight must be 1")
    if fusion.kind in _POSITIVE and min(weights) < 0:
        raise InvalidPlan(f"no weight of {fusion} may be below 0")
    must, may = _SETTINGS.get(fusion.kind, (frozenset(), frozenset()))
    if not must <= dict(fusion.settings).keys() <= must | may:
        wanted = ", ".join(sorted(must | may)) or "none"
        raise InvalidPlan(f"{fusion.kind!r} takes the settings {wanted}; got {fusion}")
    for name, value in fusion.settings:
        if name == _DIVISORS.get(fusion.kind) and value <= 0:
            raise InvalidPlan(f"{name} of {fusion} must be above 0")
        if name == "top" and not (value >= 0 and float(value).is_integer()):
            raise InvalidPlan(f"top of {fusion} must be a whole number from 0 on")


def fuse(
    kind: str,
    logprobs: Tensor,
    weights: Sequence[float],
    settings: Sequence[tuple[str, float]] = (),
) -> Tensor:
    """Fuse by the rule of that name; a single stream of weight 1 is left as it is.

    Args:
        kind: A name in `FUSIONS`.
        logprobs: One distribution a stream, (streams, ..., vocab).
        weights: One weight a stream.
        settings: The rule's own parameters.

    Returns:
        The fused distribution, (..., vocab).
    """
    alone = tuple(weights) == (1.0,)
    return logprobs[0] if alone else FUSIONS[kind](logprobs, weights, **dict(settings))
