"""Examples as tokens: what is read, and what has to come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ipse.backends.local.attached import shape_key
from ipse.backends.local.requests import Place
from ipse.errors import InvalidJob, UsageError
from ipse.job import Example, Job

__all__ = ["Row", "rows_of"]


@dataclass(frozen=True, eq=False)
class Row:
    """One example.

    Attributes:
        example: The example.
        ids: The tokens that are read: the prompt, then the target.
        prompt: How many of them are the prompt.
        ahead: Places of the soft prompt that the example's stream attaches.
        targets: What has to come out behind the prompt's last token and every one after it: the
            target, then the end of the turn.
        rejected: The same prompt with the text that the target is preferred to, if any.
    """

    example: Example
    ids: tuple[int, ...]
    prompt: int
    ahead: int
    targets: tuple[int, ...]
    rejected: Row | None = None

    @property
    def both(self) -> tuple[Row, ...]:
        """The row, and the one of what was rejected where there is one."""
        return (self,) if self.rejected is None else (self, self.rejected)


def rows_of(place: Place, job: Job, examples: Sequence[Example], places: int = 0) -> list[Row]:
    """Give examples as tokens.

    Args:
        place: Where the model is run.
        job: Whose they are, for messages.
        examples: The examples.
        places: Places of the soft prompt that is learned.

    Returns:
        One row an example.

    Raises:
        InvalidJob: If an example cannot be read.
    """
    ahead: dict[object, int] = {}
    rows = []
    for number, example in enumerate(examples, 1):
        try:
            shape = shape_key(example.stream)
            if shape not in ahead:
                ahead[shape] = _ahead(place, example, places)
            row = _row(place, example, example.target, ahead[shape], places)
            if example.rejected:
                other = _row(place, example, example.rejected, ahead[shape], places)
                row = replace(row, rejected=other)
            rows.append(row)
        except UsageError as error:
            of = "held-out examples" if examples is job.held_out else "examples"
            raise InvalidJob(
                f"number {number} of the job's {len(examples)} {of}, whose target begins "
                f"{example.target[:40]!r}: {error}"
            ) from error
    return rows


def _ahead(place: Place, example: Example, places: int) -> int:
    """Give how long a stream's soft prompt is; what it attaches is looked up while none runs."""
    if example.stream.model:
        raise InvalidJob(f"only the backend's own model learns, not {example.stream.model!r}")
    with place.attachments.attaching(example.stream) as attached:
        if attached.length and places:
            raise InvalidJob("a soft prompt is learned, so the stream cannot attach another")
        return attached.length


def _row(place: Place, example: Example, text: str, ahead: int, places: int) -> Row:
    model = place.model
    prompt, target = model.prompt(example.stream.messages), model.tokens(text)
    model.fits(ahead + places + len(prompt), len(target))
    end = int(model.tokenizer.eos_token_id)
    return Row(example, (*prompt, *target), len(prompt), ahead, (*target, end))
