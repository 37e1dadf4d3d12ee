"""Models for tests of the evaluation."""

from __future__ import annotations

from ipse.plan import Sampling
from tests.people import echo


class Model:
    """The pico model that writes a few tokens and scores, and hashes that embed."""

    name = "local"

    def __init__(self, pico):
        self._pico, self._echo = pico, echo()
        self.base, self.embedder, self.carries = pico.base, self._echo.embedder, pico.carries
        self.score, self.cut, self.embed = pico.score, pico.cut, self._echo.embed
        self.stream = pico.stream

    def generate(self, plans, on_progress=None):
        short = [
            vars(p) | {"sampling": Sampling(max_tokens=3, seed=p.sampling.seed)} for p in plans
        ]
        return self._pico.generate([type(plans[0])(**fields) for fields in short], on_progress)
