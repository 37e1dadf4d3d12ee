"""A plan that is run: whole or in pieces; of several candidates the person's rewards choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ipse.lm import LM, Reply
from ipse.methods import Chooser, choose
from ipse.plan import Plan

__all__ = ["Running"]


@dataclass
class Running:
    """One plan on its way to an answer.

    Attributes:
        lm: What runs it.
        plan: The plan.
        chooser: Gives who chooses among candidates; None where nobody does.
        reply: What the backend said of it, once it is whole; of candidates, of the one chosen.
    """

    lm: LM
    plan: Plan
    chooser: Callable[[], Chooser | None]
    reply: Reply | None = field(default=None, init=False)

    def whole(self) -> Reply:
        """Run it, and give the reply; what else was drawn is in it, with the rewards."""
        (reply,) = self.lm.generate([self.plan])
        if self.plan.candidates > 1 and (chooser := self.chooser()) is not None:
            (reply,) = choose([self.plan], [reply], [chooser], self.lm)
        self.reply = reply
        return reply

    def pieces(self) -> Iterator[str]:
        """Run it, and give the text in pieces; in one, of several candidates."""
        if self.plan.candidates == 1:
            self.reply = yield from self.lm.stream(self.plan)
        else:
            yield self.whole().text
