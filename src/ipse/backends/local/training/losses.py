"""What each loss makes of how likely texts are: `loss.Loss` has the equations."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import logsigmoid

from ipse.loss import Example, Loss

__all__ = ["loss_of"]


def loss_of(
    loss: Loss, example: Example, logprobs: Sequence[Tensor], reference: Sequence[Tensor]
) -> Tensor:
    """Give the loss of one example, ().

    Args:
        loss: Which.
        example: The example.
        logprobs: Of each token of the target, (tokens,), and of the rejected text where there is
            one, in nats.
        reference: As the job began, of the same shapes; empty where the loss does not refer to it.

    Returns:
        The loss, weighted as the example is.
    """
    chosen = logprobs[0]
    if not loss.compares:
        found = -example.weight * chosen.mean()
        if not loss.kl:
            return found
        apart = reference[0] - chosen  # (tokens,)
        return found + loss.kl * (apart.exp() - apart - 1).mean()
    gains = [now.sum() - before.sum() for now, before in zip(logprobs, reference, strict=True)]
    found = _compared(loss, example, gains[0] - gains[1])
    if loss.sft:
        found = found - loss.sft * chosen.mean()
    return example.weight * found


def _compared(loss: Loss, example: Example, ahead: Tensor) -> Tensor:
    """Give what is lost by how far the chosen text is ahead, in nats over the reference, ()."""
    belief = example.belief
    if loss.name == "ipo":
        return (ahead - (2 * belief - 1) / (2 * loss.beta)).square()
    logit = loss.beta * ahead
    if loss.name == "modpo":
        logit = (logit - example.margin) / loss.share
    return -belief * logsigmoid(logit) - (1 - belief) * logsigmoid(-logit)
