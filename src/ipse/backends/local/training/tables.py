"""The table of a job, and the lines of it that rows are learned under."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.network import Network
from ipse.errors import InvalidJob
from ipse.job import Job

__all__ = ["table_of"]


def table_of(
    job: Job, network: Network, table: NDArray[Any] | None, least: int, most: int | None = None
) -> Tensor:
    """Give a job's table, (lines, width) float32, once every example is known to fit it.

    Args:
        job: The job.
        network: Where the table is to be.
        table: The table as it is kept.
        least: The fewest lines of an example.
        most: The most; None is any number.

    Returns:
        The table.

    Raises:
        InvalidJob: If there is no table, or an example names too few lines, too many, or strange
            ones.
    """
    if table is None or table.ndim != 2:
        raise InvalidJob(
            "what is learned is made from the lines of a table, (lines, width), and the job has "
            "none. Hold({'table': ...}) gives the name of one"
        )
    for example in (*job.examples, *job.held_out):
        lines = example.lines
        if len(lines) < least or (most is not None and len(lines) > most):
            wanted = f"{least}" if most == least else f"at least {least}"
            raise InvalidJob(f"an example needs {wanted} lines of the job's table; got {lines}")
        if not all(0 <= line < len(table) for line in lines):
            raise InvalidJob(f"the job's table has {len(table)} lines; an example names {lines}")
    return torch.tensor(table, dtype=torch.float32, device=network.device)
