"""The engine: a person's question in, a personal answer out; and the life of what is known of them.

    records -> Method.apply -> Plan -> Backend -> Reply

Only the engine does I/O on a request: it reads the person, hands methods what they learned, answers
what they ask for, and runs the plan.
"""

# Over 300 lines because one class is all that a program sees of Ipse, and most of it says what a
# verb does.

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipse.backends import open_backend
from ipse.errors import Conflict
from ipse.feedback import Feedback, Taken, feedback_records
from ipse.lifecycle import Lifecycle
from ipse.lm import LM
from ipse.meter import Meter, Told, parts
from ipse.methods import Chooser, Method, parse, personalize
from ipse.plan import Message, Plan, Sampling
from ipse.questions import NextQuestion, asker, next_question
from ipse.records import Kind, Record, User
from ipse.replies import KEEP_REPLIES, Answer, Pieces, Replies
from ipse.route import Choice, Router, gate_serves, methods_of, read_route, written
from ipse.running import Running
from ipse.searching import Found, search
from ipse.state import SavedState
from ipse.store import Added, Receipt, Store, StoredReply
from ipse.views import Views

__all__ = ["DEFAULT_METHODS", "Answer", "Ipse"]

DEFAULT_METHODS = "hybrid"

_TRIES = 3
"""How often a plan is made anew because the person's records changed meanwhile."""


class Ipse:
    """One language model, everyone's own."""

    def __init__(
        self,
        store: Store | str | Path = "ipse.db",
        backend: LM | str = "local",
        methods: str = DEFAULT_METHODS,
        system: str = "",
        keep_replies: int = KEEP_REPLIES,
    ) -> None:
        """Open a store and a backend; the model is loaded when it is first needed.

        Args:
            store: A store, or the file it is in.
            backend: A backend, or its name.
            methods: The composition that answers where a request names no other, or `route`, which
                chooses one for each.
            system: The deployment's own system prompt.
            keep_replies: How many replies to each person in the store are kept, the latest; only of
                those can a person say what they think. 0 keeps none.
        """
        self.methods = methods_of(methods)
        self.written = written(methods)
        self.system = system
        self.store = store if isinstance(store, Store) else Store.open(store)
        self.lm = open_backend(backend) if isinstance(backend, str) else backend
        self.lm.attach(self.store.arrays)
        self._lifecycle = Lifecycle(self.store, self.lm)
        self._replies = Replies(self.store, keep_replies)
        self._router = Router(self.lm)
        self._views = Views(self._lifecycle)
        self._forgets = 0  # how often something was forgotten here

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def __enter__(self) -> Ipse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is known of a person.

    def remember(self, user: str, text: str, *, kind: Kind = "dialogue", **fields: Any) -> Record:
        """Add one record of a person.

        Args:
            user: Whose.
            text: What the person said, wrote, chose, rated, was or preferred.
            kind: Which of those.
            **fields: Any other field of `Record`.

        Returns:
            The record, durably kept.
        """
        record = Record(user=user, kind=kind, output=text, **fields)
        self.store.add([record])
        return record

    def add(self, records: Iterable[Record]) -> Added:
        """Add records of any people: all of them, or on an error none."""
        return self.store.add(records)

    def forget(self, user: str, record: str | None = None) -> Receipt:
        """Forget a person, or one record of theirs, with all that was made from it.

        Args:
            user: Who.
            record: The record's id; the whole person where it is not given.

        Returns:
            What was removed.
        """
        if record is None:
            receipt = self.store.forget_user(user)
        else:
            receipt = self.store.forget_record(record, user)
        return self._let_go(receipt)

    def replace(self, record: str, by: Record) -> Receipt:
        """Forget a record, with all that was made from it, and add another in its place.

        Args:
            record: The id of the record that goes.
            by: The one that comes; of the same person.

        Returns:
            What was removed.
        """
        return self._let_go(self.store.replace(record, by))

    def search(self, user: str, query: str, count: int = 10) -> list[Found]:
        """Give the records of a person that are nearest to a query, the best first.

        Args:
            user: Who; nobody has none.
            query: What is looked for.
            count: How many at most.

        Returns:
            The records, of those that may be read for an answer, each with its score.
        """
        for _ in range(_TRIES):
            with suppress(Conflict):  # a record was forgotten while it was learned from
                return search(self._views, self.lm, user, query, count)
        raise Conflict(f"the records of {user!r} keep changing. Ask again")

    # What is learned of them.

    def fit(self, methods: str | None = None, told: Told | None = None) -> list[SavedState]:
        """Let methods learn from everybody who allows it.

        Args:
            methods: A composition; the engine's own where it is not given.
            told: Told how far it is.

        Returns:
            What is kept, one state for each method that had something to learn.
        """
        chosen = [method for method in self._chosen(methods) if method.shared]
        fitted = []
        for method, tell in zip(chosen, parts(told, len(chosen)), strict=True):
            meter = Meter.whole(f"{method.name} learns from everybody", tell)
            fitted.append(self._lifecycle.fit(method, progress=meter))
        return [saved for saved in fitted if saved]

    def enroll(self, user: str, methods: str | None = None) -> list[SavedState]:
        """Let methods learn of one person anew, before any question is asked.

        Args:
            user: Who.
            methods: A composition; the engine's own where it is not given.

        Returns:
            What is kept, one state for each method that had something to learn.
        """
        view = self.store.user(user)
        enrolled = [self._lifecycle.enroll(method, view) for method in self._chosen(methods)]
        return [saved for saved in enrolled if saved]

    def refresh(
        self,
        user: str | None = None,
        methods: str | None = None,
        told: Told | None = None,
        *,
        anew: bool = False,
    ) -> list[SavedState]:
        """Let methods learn what is missing: of whom they know nothing, or not the latest.

        People are learned of together, a few at a time, and kept before the next: a run that is
        killed goes on where it stood.

        Args:
            user: Who; everybody where it is not given.
            methods: A composition; the engine's own where it is not given.
            told: Told how far it is.
            anew: Also of those who are up to date, as if nothing were known.

        Returns:
            What is kept, without its arrays: one state for each person and method that had
            something to learn.
        """
        if user is not None:
            self.store.user(user, latest=0)  # or say that there is no such person
        people = None if user is None else [user]
        chosen = self._chosen(methods)
        kept: list[SavedState] = []
        for method, tell in zip(chosen, parts(told, len(chosen)), strict=True):
            kept += self._lifecycle.refresh(method, people, tell, anew=anew)
        return kept

    def known(
        self, user: str | None, methods: str | None = None
    ) -> list[tuple[Method, SavedState | None]]:
        """Say what methods know of a person, without learning anything.

        Args:
            user: Who; None is everyone together.
            methods: A composition; the engine's own where it is not given.

        Returns:
            The methods, each with what is used of this person, without its arrays; None where
            there is nothing.
        """
        view = None if user is None else self.store.user(user)
        return [(one, self._lifecycle.known(one, view)) for one in self._chosen(methods)]

    def profile(self, user: str, methods: str = "facets+profile") -> str:
        """Say in words what is known of a person: what the model reads before every question.

        Args:
            user: Who.
            methods: The composition whose passage to give.

        Returns:
            The passage; "" where nothing is known.
        """
        plan = self._personal(Plan.ask(""), user, self._chosen(methods))
        return next((m.content for m in plan.main.messages if m.role == "system"), "")

    # What is asked.

    def plan(
        self,
        user: str | None,
        question: str,
        *,
        methods: str | None = None,
        strength: float = 1.0,
        sampling: Sampling | None = None,
        history: Sequence[Message] = (),
        since: Sequence[Message] = (),
    ) -> Plan:
        """Make the plan that would answer a question, without running it.

        Args:
            user: Who asks; nobody, or one of whom nothing is known, gets the generic plan.
            question: What is asked.
            methods: A composition; the engine's own where it is not given.
            strength: 0 is the generic model, 1 the methods as published.
            sampling: How tokens are drawn.
            history: Earlier turns of the same conversation.
            since: What came after the question: calls of tools, and what these gave.

        Returns:
            The plan.
        """
        generic = Plan.ask(question, self.system, sampling, history, since)
        generic = replace(generic, strength=strength)
        chosen = parse(self.choice(user, question, methods).methods)
        return self._personal(generic, user, chosen) if user and chosen and strength else generic

    def choice(self, user: str | None, question: str, methods: str | None = None) -> Choice:
        """Say which composition answers a question, and why.

        Args:
            user: Who asks.
            question: What is asked.
            methods: A composition, or `route`; the engine's own where it is not given.

        Returns:
            The choice; where there is none, what was given.
        """
        text = self.written if methods is None else methods
        route = read_route(text)
        if route is None:
            return Choice(text)
        _, view = self._views.view(user) if user else (0, None)
        if view is None:
            return Choice("generic")
        return self._router.choose(route, view, question, lambda one: self._serves(one, view))

    def ask(
        self, user: str | None, question: str, *, after: Sequence[str] = (), **options: Any
    ) -> Answer:
        """Answer a question as this person's own model.

        Args:
            user: Who asks; nobody gets the generic model.
            question: What is asked.
            after: The ids of replies whose texts stand in the history, or of the last of them: what
                is made of these is forgotten with what they were made of.
            **options: As for `plan`; with `keep=False`, the reply is not kept.

        Returns:
            The answer and why it is what it is.
        """
        forgets = self._forgets
        plan, methods, name = self._begin(user, question, after, options)
        try:
            reply = self._running(user, plan, methods).whole()
        except BaseException:
            self._replies.drop(name)
            raise
        self._settle(forgets)
        kept = self._replies.finish(name, reply.text)
        return Answer(reply.text, plan, reply, self.evidence(user, plan), kept)

    def stream(
        self, user: str | None, question: str, *, after: Sequence[str] = (), **options: Any
    ) -> Pieces:
        """Answer a question in pieces; together they are what `ask` gives.

        Of several candidates the best is known only once all are written: it comes in one piece.
        """
        forgets = self._forgets
        plan, methods, name = self._begin(user, question, after, options)
        running = self._running(user, plan, methods)
        return Pieces(running, name, self._pieces(running, name, forgets))

    def feedback(
        self,
        user: str,
        reply_id: str,
        *,
        thumb: str | None = None,
        rating: float | None = None,
        edit: str | None = None,
        better_than: str | None = None,
        regenerated: str | None = None,
    ) -> Taken:
        """Take what a person says of a reply: keep it as records, and let methods learn of it.

        Saying the same again changes nothing. That a reply was written anew says nothing by itself:
        only who gives `regenerated` says that they keep the second. Methods that train learn of it
        at the next `refresh`.

        Args:
            user: Who.
            reply_id: The reply.
            thumb: `up` or `down`.
            rating: From 1 to 5.
            edit: The reply as they would have it.
            better_than: The id of another reply to the same question, or a text, that they like
                less.
            regenerated: The id of the reply in whose place this one, which they keep, was written.

        Returns:
            What became of it.

        Raises:
            UnknownUser: If there is no such person.
            UnknownReply: If no such reply to the person is kept.
            InvalidFeedback: If it tells nothing; then nothing is kept.
        """
        view = self._views.view(user)[1] or self.store.user(user)  # or say that there is nobody
        reply = self.store.reply(reply_id, user)
        told = Feedback(
            thumb,
            rating,
            edit,
            None if better_than is None else self._replies.named(better_than, user),
            None if regenerated is None else self.store.reply(regenerated, user),
        )
        records = feedback_records(reply, told, view)
        added = self._replies.add(records)
        new = sum(not view.holds([record.id]) for record in added)
        return Taken(tuple(added), new, self._learn(user, reply))

    def question(
        self, user: str, question: str, texts: Sequence[str], methods: str | None = None,
        **options: Any,
    ) -> NextQuestion:  # fmt: skip
        """Say which two of some answers to ask a person about next, and how unsure we are.

        What they say is a preference: `remember(user, liked, kind="preference", input=question,
        rejected=other)`.

        Args:
            user: Who; one of whom nothing is known is asked as anybody would be.
            question: What the answers are to.
            texts: The answers, at least two.
            methods: A composition; one without `low-rank-reward` has it as it comes.
            **options: As for `next_question`: how it is chosen, and when it is settled.

        Returns:
            The pair and what is left to gain; an error where nothing was learned of everyone.
        """
        method = asker(self._chosen(methods))
        everyones = self._lifecycle.known(method, None)
        _, view = self._views.view(user)
        view = (view or User(user)).allowing(method.use)
        state = self._views.learned(method, view).state if everyones and view.records else None
        return next_question(method, everyones, state, view, question, texts, self.lm, **options)

    def evidence(self, user: str | None, plan: Plan) -> tuple[Record, ...]:
        """Give the records a plan lets the model read, but for those forgotten since."""
        _, view = self._views.view(user) if user else (0, None)
        return (
            tuple(view.record(name) for name in plan.evidence if view.holds([name])) if view else ()
        )

    def _let_go(self, receipt: Receipt) -> Receipt:
        """Let go of what is in memory of all that was forgotten."""
        self._forgets += 1
        self._views.drop(receipt)
        self.lm.forget()
        return receipt

    def _settle(self, forgets: int) -> None:
        """Where something was forgotten since, what was answered may have held it: let that go."""
        if self._forgets != forgets:
            self.lm.forget()

    def _begin(
        self, user: str | None, question: str, after: Sequence[str], options: dict[str, Any]
    ) -> tuple[Plan, str, str]:
        """Make the plan of an answer, and enter the reply; give it, its methods, the reply's id."""
        methods = written(self.choice(user, question, options.pop("methods", None)).methods)
        whose = user if options.pop("keep", True) else None
        plan = self.plan(user, question, methods=methods, **options)
        return plan, methods, self._replies.begin(whose, question, plan, methods, after)

    def _running(self, user: str | None, plan: Plan, methods: str) -> Running:
        """Give a plan that is to be run for a person."""

        def chooser() -> Chooser | None:
            view = self._views.view(user)[1] if user else None
            if view is None:
                return None
            return Chooser(view, [self._views.learned(method, view) for method in parse(methods)])

        return Running(self.lm, plan, chooser)

    def _pieces(self, running: Running, name: str, forgets: int) -> Generator[str, None, None]:
        """Answer in pieces; who stops before the end, or is stopped, leaves no reply."""
        said: list[str] = []
        try:
            for piece in running.pieces():
                said.append(piece)
                yield piece
        except BaseException:
            self._replies.drop(name)
            raise
        finally:
            self._settle(forgets)
        self._replies.finish(name, "".join(said))

    def _learn(self, user: str, reply: StoredReply) -> tuple[SavedState, ...]:
        """Bring what methods know of a person up to date, but for those that train.

        Of those that a route may choose, it is those that made the reply.
        """
        view, found = self._views.view(user)[1] or User(user), []
        for method in parse(reply.methods) if read_route(self.written) else self.methods:
            if not method.trains:
                with suppress(Conflict):  # something was forgotten: the next question learns anew
                    found.append(self._views.saved(method, view))
        return tuple(replace(one, state=replace(one.state, arrays={})) for one in found if one)

    def _chosen(self, methods: str | None) -> tuple[Method, ...]:
        return self.methods if methods is None else methods_of(methods)

    def _serves(self, method: Method, view: User) -> bool:
        """Whether the gate of a method says that what was trained for a person serves them."""
        saved = self._lifecycle.known(method, view)
        return saved is not None and gate_serves(saved.state)

    def _personal(self, generic: Plan, user: str, methods: Sequence[Method]) -> Plan:
        """Make a plan personal; records and states are of one moment of the person's."""
        for _ in range(_TRIES):
            revision, view = self._views.view(user)
            if view is None:
                return generic
            try:
                learned = [self._views.learned(method, view) for method in methods]
            except Conflict:  # a record was forgotten while it was learned from
                continue
            if self.store.revision(user) == revision:
                return personalize(generic, view, learned, self.lm)
        raise Conflict(f"the records of {user!r} keep changing. Ask again")
