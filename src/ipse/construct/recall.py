"""`recall`: a person's conversations as questions and answers to learn (PLUM, 2411.13405).

    they said      We moved to Lisbon in May.
    question       Where does this person live?        answer   In Lisbon.
    yes            Did they say that they moved?       answer   Yes: We moved to Lisbon in May.
    no             Did they say: I sold the car?       answer   No, they did not say so.

Every turn becomes an open question, a question whose answer is yes and one whose answer is no, the
latter of something that another person said. So what is learned is not only to affirm. The records
are of a person of their own, `constructed-recall-<id>`, who is to be forgotten with the real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ipse.construct.asking import asked, lines, written
from ipse.construct.base import constructed
from ipse.methods.base import Steps
from ipse.records import Record, User
from ipse.text import cut, one_line

__all__ = ["Recall"]


@dataclass(frozen=True)
class Recall:
    """Make questions and answers of what people said in conversations.

    Attributes:
        records: How many of each person's latest turns.
        limit: The most words of a turn.
        tokens: The longest question, in tokens.
        seed: Of what the model writes, and of what was not said.
    """

    records: int = 20
    limit: int = 60
    tokens: int = 32
    seed: int = 0

    def make(self, people: Sequence[User], model: str) -> Steps[list[Record]]:
        """Make the records.

        Args:
            people: The people; dialogue that may be trained on is taken.
            model: The name of the model that writes, for the records' source.

        Returns:
            Records of kind `content`: the question is the input, the answer the output. `meta` has
            the form and the id of the record it was made of; `uses` are that record's.
        """
        told = [record for user in people for record in self._turns(user)]
        texts = yield from written(
            asked(self._asking(record), self.tokens, self.seed + n, heat=0.0)
            for n, record in enumerate(told)
        )
        made: list[Record] = []
        places: dict[str, int] = {}
        for number, (record, text) in enumerate(zip(told, texts, strict=True)):
            question = next(iter(lines(text, 1)), "")
            for form, asks, answer in self._forms(record, question, told, number):
                place = places.get(record.user, 0)
                places[record.user] = place + 1
                made.append(
                    constructed(
                        "content",
                        "recall",
                        record.user,
                        place,
                        how={"seed": self.seed, "model": model},
                        prompt=asks,
                        output=answer,
                        meta={"form": form, "of": record.id},
                        uses=record.uses - {"share"},
                    )
                )
        return made

    def _turns(self, user: User) -> tuple[Record, ...]:
        return user.allowing("train").of(("dialogue",)).latest(self.records)

    def _asking(self, record: Record) -> str:
        return (
            f"A person said: {self._said(record)}\n\n"
            "Write one question about this person that these words answer."
        )

    def _said(self, record: Record) -> str:
        return one_line(cut(record.output, self.limit))

    def _forms(
        self, record: Record, question: str, every: Sequence[Record], number: int
    ) -> list[tuple[str, str, str]]:
        """Give form, question and answer: open, yes, and no where there is another to ask of."""
        said = self._said(record)
        forms = [("open", question, said)] if question else []
        forms.append(("yes", f"Did this person say: {said}", f"Yes. They said: {said}"))
        own = {self._said(one) for one in every if one.user == record.user}
        others = [one for one in every if one.user != record.user and self._said(one) not in own]
        if others:
            other = self._said(Random(f"{self.seed}:{number}").choice(others))
            forms.append(("no", f"Did this person say: {other}", "No, they did not say so."))
        return forms
