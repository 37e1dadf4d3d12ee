"""Methods that train learn of a person by themselves, once enough of them is new."""

import multiprocessing
import os
import signal

import pytest
from starlette.testclient import TestClient

from ipse import Ipse
from ipse.server import create_app
from ipse.server.jobs import rule
from ipse.server.mcp import mcp_server
from ipse.settings import Settings
from tests.people import StandIn, echo, person
from tests.server.conftest import LOCAL
from tests.server.live import PATIENCE, until
from tests.server.test_mcp import talk

ADA = "/v1/users/ada"


def said(number):
    return {"kind": "content", "input": f"And {number}?", "output": f"I say {number}."}


def learning(where, methods="steer"):
    """An engine whose method trains, with what there is of Ada."""
    return Ipse(where, StandIn(echo()), methods=methods)


def served(engine, every=3, **settings):
    app = create_app(engine, Settings(backend="echo", relearn=every, **settings))
    return TestClient(app, base_url=LOCAL, raise_server_exceptions=False)


def test_enough_new_records_are_learned_of_in_the_background(tmp_path):
    with learning(tmp_path / "ipse.db") as engine, served(engine) as client:
        for number in range(2):
            client.post(f"{ADA}/records", json=said(number))
        assert client.get(f"{ADA}/jobs").json()["data"] == []
        client.post(f"{ADA}/records", json=said(2))
        (job,) = client.get(f"{ADA}/jobs").json()["data"]
        assert (job["kind"], job["methods"]) == ("enroll", "steer")
        until(lambda: client.get(f"{ADA}/jobs/{job['id']}").json()["status"] == "done")
        (state,) = client.get(f"{ADA}/states").json()["data"]
        assert (state["method"], state["records"]) == ("steer", 3)


@pytest.mark.parametrize("way", ["records", "batch", "profile", "mem0", "mcp", "feedback", "chat"])
def test_it_does_not_matter_how_they_were_written(tmp_path, way):
    with learning(tmp_path / "ipse.db") as engine:
        engine.add(person().records)
        reply = engine.ask("ada", "Why?").id
        app = create_app(engine, Settings(backend="echo", relearn=1, learn_conversations=True))
        client = TestClient(app, base_url=LOCAL)  # not entered: nobody takes the job
        asked = {
            "model": "ipse", "user": "ada", "messages": [{"role": "user", "content": "I like tea."}]
        }  # fmt: skip
        {
            "records": lambda: client.post(f"{ADA}/records", json=said(0)),
            "batch": lambda: client.post(f"{ADA}/records/batch", json={"records": [said(0)]}),
            "profile": lambda: client.put(f"{ADA}/profile/diet", json={"value": "vegetarian"}),
            "mem0": lambda: client.post("/v1/memories/", json={"messages": "A", "user_id": "ada"}),
            "mcp": lambda: talk(mcp_server(engine, lambda _: "ada"), ("add_memory", {"text": "A"})),
            "feedback": lambda: client.post(
                f"{ADA}/replies/{reply}/feedback", json={"edit": "Because."}
            ),
            "chat": lambda: client.post("/v1/chat/completions", json=asked),
        }[way]()
        (job,) = engine.store.jobs.latest("ada")
        assert (job.kind, job.methods, job.status) == ("enroll", "steer", "queued")


@pytest.mark.parametrize(
    ("methods", "every"), [("bm25+facets", 3), ("steer", 0)], ids=["no-training", "never"]
)
def test_without_training_or_where_it_is_switched_off_nothing_is_queued(tmp_path, methods, every):
    with learning(tmp_path / "ipse.db", methods) as engine:
        assert rule(engine, every) is None
        with served(engine, every) as client:
            client.post(f"{ADA}/records/batch", json={"records": [said(n) for n in range(9)]})
            assert client.get(f"{ADA}/jobs").json()["data"] == []


def test_a_method_that_needs_many_waits_for_them(tmp_path):
    with learning(tmp_path / "ipse.db", "bm25+user-adapter:least=5") as engine:
        found = rule(engine, 3)
        assert (found.trained, found.fewest) == (("user-adapter",), 5)
    with learning(tmp_path / "ipse.db", "user-adapter:gate=false") as engine:
        assert rule(engine, 3).fewest == 1
    with learning(tmp_path / "ipse.db", "route") as engine:
        assert rule(engine, 3).methods == "route"


def write_and_die(where):
    """Be a server that is killed before its worker gets to what a write asked for."""
    with learning(where) as engine:
        client = TestClient(create_app(engine, Settings(backend="echo", relearn=3)), base_url=LOCAL)
        client.post(f"{ADA}/records/batch", json={"records": [said(n) for n in range(3)]})
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_write_asked_for_is_learned_by_the_next_server(tmp_path):
    killed = multiprocessing.get_context("fork").Process(
        target=write_and_die, args=(tmp_path / "ipse.db",)
    )
    killed.start()
    killed.join(PATIENCE)
    assert killed.exitcode == -signal.SIGKILL
    with learning(tmp_path / "ipse.db") as engine, served(engine) as client:
        until(lambda: client.get(f"{ADA}/states").json()["data"])
        (job,) = client.get(f"{ADA}/jobs").json()["data"]
        until(lambda: client.get(f"{ADA}/jobs/{job['id']}").json()["status"] == "done")


def test_who_is_erased_in_between_is_not_learned_of(tmp_path):
    with learning(tmp_path / "ipse.db") as engine:
        app = create_app(engine, Settings(backend="echo", relearn=3))
        client = TestClient(app, base_url=LOCAL)
        client.post(f"{ADA}/records/batch", json={"records": [said(n) for n in range(3)]})
        assert client.get(f"{ADA}/jobs").json()["data"]
        client.delete(ADA)
        assert engine.store.jobs.counts() == {"queued": 0, "running": 0}
        assert engine.store.jobs.take() is None


def test_who_is_paused_in_between_is_learned_of_when_they_go_on(tmp_path):
    with learning(tmp_path / "ipse.db") as engine:
        app = create_app(engine, Settings(backend="echo", relearn=3))
        client = TestClient(app, base_url=LOCAL)
        client.post(f"{ADA}/records/batch", json={"records": [said(n) for n in range(3)]})
        client.put(f"{ADA}/pause")
        engine.add([*person("bob").records])
        with served(engine) as client:
            bobs = client.post("/v1/enroll").json()["id"]  # of everybody, but for who is paused
            until(lambda: client.get(f"/v1/jobs/{bobs}").json()["status"] == "done")
            assert [state.key.user for state in engine.store.states()] == ["bob"]
            assert [j["status"] for j in client.get(f"{ADA}/jobs").json()["data"]] == ["queued"]
            client.delete(f"{ADA}/pause")
            until(lambda: client.get(f"{ADA}/states").json()["data"])
