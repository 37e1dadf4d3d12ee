"""The kinds of things that can be learned: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ipse.backends.local.network import Network
from ipse.backends.local.training.gates import LearnedGates
from ipse.backends.local.training.hypernetwork import LearnedHypernetwork
from ipse.backends.local.training.learnable import Learnable
from ipse.backends.local.training.low_rank import LowRankWeights
from ipse.backends.local.training.scales import LearnedScales
from ipse.backends.local.training.soft_prefix import LearnedPrefix
from ipse.errors import InvalidJob
from ipse.job import Gates, Hypernetwork, Job, Lora, Scales, SoftPrefix

__all__ = ["begin"]


def begin(
    job: Job,
    network: Network,
    start: Mapping[str, NDArray[Any]],
    table: NDArray[Any] | None,
) -> Learnable:
    """Give the parameters of a job as they are before it.

    Args:
        job: The job.
        network: The frozen model.
        start: Arrays to go on from; empty begins anew.
        table: The job's table, (lines, width), where it names one.

    Returns:
        The parameters.

    Raises:
        InvalidJob: If nothing here learns what it wants learned.
    """
    if isinstance(job.learn, Gates):
        return LearnedGates(job.learn, network, start)
    if isinstance(job.learn, Hypernetwork):
        return LearnedHypernetwork(job, job.learn, network, start, table)
    if isinstance(job.learn, Lora):
        return LowRankWeights(job, job.learn, network, start)
    if isinstance(job.learn, SoftPrefix):
        return LearnedPrefix(job, job.learn, network, start, table)
    if isinstance(job.learn, Scales):
        return LearnedScales(job.learn, network, start)
    raise InvalidJob(f"nothing learns {job.learn}")
