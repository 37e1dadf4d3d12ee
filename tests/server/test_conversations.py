"""Conversations become records, where a deployment says so."""

import pytest

from ipse.plan import Message
from ipse.server.context import Served
from ipse.settings import Settings

TALK = [
    Message("system", "Be brief."),
    Message("user", "Hello, I am a nurse."),
    Message("assistant", "Hello!"),
    Message("user", "I work at night."),
]


@pytest.fixture
def said(engine):
    settings = Settings(backend="echo", learn_conversations=True, conversation_uses="prompt")
    return Served(engine, settings).said


def test_by_default_nothing_is_kept(engine):
    Served(engine, Settings(backend="echo")).said("eve", TALK)
    assert [person.id for person in engine.store.users().items] == ["ada", "bob"]


def test_the_last_thing_the_person_said_is_kept_as_the_deployment_allows(said, engine):
    said("eve", TALK[:2])
    said("eve", TALK)
    first, second = engine.store.user("eve").records
    assert (first.output, second.output) == ("Hello, I am a nurse.", "I work at night.")
    for record in (first, second):
        assert (record.kind, record.input, record.uses) == ("dialogue", "", {"prompt"})
        assert record.source == "conversation"
    assert first.meta["thread"] == second.meta["thread"]


def test_nothing_that_the_model_said_is_kept(said, engine):
    said("eve", TALK)
    assert "Hello!" not in str(engine.store.user("eve").records)
    said("bob", TALK[2:3])
    assert len(engine.store.user("bob")) == 16


def test_asking_again_says_nothing_new(said, engine):
    said("eve", TALK)
    said("eve", TALK)
    assert len(engine.store.user("eve")) == 1


def test_of_who_is_paused_nothing_is_kept(said, engine):
    engine.store.pauses.set("ada", on=True)
    said("ada", TALK)
    assert len(engine.store.user("ada")) == 16


def test_what_cannot_be_kept_is_nobodys_error(said, engine):
    said("eve", [Message("user", "none that can be kept: \x00")])
    said("eve", [Message("user", "   ")])
    assert [person.id for person in engine.store.users().items] == ["ada", "bob"]
