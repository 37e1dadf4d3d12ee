"""Two people and a service on one server: nothing of one shows in, or changes, what the other gets.

The echo backend answers with all that a model would read, so whatever influences an answer shows in
its text. `runs/isolation.py` runs more of the same.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from starlette.testclient import TestClient

from ipse import Ipse
from ipse.errors import UnknownUser
from ipse.server import create_app
from ipse.settings import Settings
from tests.people import echo
from tests.server.conftest import LOCAL, bearer
from tests.server.live import until

PEOPLE = ("ada", "bob")
SUBJECTS = ("tea", "trains", "winter", "cats")
CHAT = "/v1/chat/completions"
QUESTION = "What about tea, trains, winter and cats?"

_people = strategies.sampled_from(PEOPLE)
_askers = strategies.sampled_from(("own", "service"))
_subjects = strategies.sampled_from(SUBJECTS)
_picks = strategies.integers(0, 10**6)
_methods = strategies.sampled_from(("bm25", "profile+bm25", "facets", "recent", "hybrid"))


def secret(user):
    """What stands in everything a person writes, and nowhere else."""
    return f"secret-of-{user}"


def other_than(user):
    return PEOPLE[1 - PEOPLE.index(user)]


class Isolation(RuleBasedStateMachine):
    """Everything two people and a service can do; after each step, what they see is checked."""

    def __init__(self):
        RuleBasedStateMachine.__init__(self)
        self.folder = Path(tempfile.mkdtemp())
        self.engine = Ipse(self.folder / "ipse.db", echo(), methods="bm25")
        app = create_app(self.engine, Settings(backend="echo", learn_conversations=True))
        self.client = TestClient(app, base_url=LOCAL, raise_server_exceptions=False)
        self.client.__enter__()
        keys = self.engine.store.keys
        self.keys = {name: bearer(keys.create(name)[0]) for name in PEOPLE}
        self.keys["service"] = bearer(keys.create()[0])
        self.ids = {
            name: {"records": [], "replies": [], "jobs": [], "memories": [], "states": []}
            for name in PEOPLE
        }
        self.alone = {
            name: Ipse(self.folder / f"{name}.db", echo(), methods="bm25") for name in PEOPLE
        }
        self.paused = dict.fromkeys(PEOPLE, False)
        self.count = 0

    def teardown(self):
        self.client.__exit__(None, None, None)
        for engine in (self.engine, *self.alone.values()):
            engine.close()
        shutil.rmtree(self.folder)

    def text(self, user, subject):
        self.count += 1
        return f"{secret(user)} on {subject}, number {self.count}"

    def ask(self, asker, user, method, path, json=None, good=None, **headers):
        """Send a request of or for a person; nothing of the other may be in the answer."""
        if asker == "service":
            sent = self.keys["service"] | {"X-Ipse-User": user}
        else:
            sent = self.keys[user]
        answer = self.client.request(method, path, json=json, headers=sent | headers)
        assert answer.status_code < 500, answer.text
        assert secret(other_than(user)) not in answer.text, (method, path)
        if good is not None:
            assert answer.status_code == good, answer.text
        return answer

    def named(self, user, kind, pick):
        """Give an id of a person's, or none that there is."""
        found = self.ids[user][kind]
        return found[pick % len(found)] if found else "none"

    @initialize()
    def begin(self):
        """Each has one of everything, and each reaches for the other's."""
        for user in PEOPLE:
            self.add("service", user, SUBJECTS[0])
        for user in PEOPLE:
            self.erase("own", user)
            self.add("service", user, SUBJECTS[0])
        for user in PEOPLE:
            self.correct("own", user, -1, SUBJECTS[3])
            self.add("own", user, SUBJECTS[3])
            self.say_who_one_is("own", user, SUBJECTS[1])
            self.chat("own", user, "facets+bm25", stream=False, temporary=False)
            self.remember_as_mem0_does("own", user, SUBJECTS[2], 0)
            self.enroll("own", user, "facets")
            self.add_with_a_key_that_others_use("service", user, SUBJECTS[0], SUBJECTS[0])
            assert f"{secret(user)} on {SUBJECTS[0]}" in self.outputs(user)
        self.learn()
        for stream in (False, True):
            self.ask_at_once(stream=stream)
        for user in PEOPLE:
            assert all(self.ids[user].values()), self.ids[user]
            for pick in (-1, -2):  # a record, and one that was corrected
                self.reach_for_the_others(user, pick)
            self.look_around(user)
            self.call_tools("own", user, SUBJECTS[0])
            self.take_away_and_bring_back("own", user)
            for on in (True, False):
                self.pause("own", user, on=on)

    def outputs(self, user):
        """Give what a person's records say."""
        found = self.ask("own", user, "GET", f"/v1/users/{user}/records", good=200)
        return [each["output"] for each in found.json()["data"]]

    def learn(self):
        """Wait for the jobs, and note what was learned."""
        jobs = self.engine.store.jobs
        until(lambda: not any(jobs.counts().values()), "the jobs are not done")
        for user in PEOPLE:
            found = self.ask("own", user, "GET", f"/v1/users/{user}/states", good=200)
            self.ids[user]["states"] = [each["id"] for each in found.json()["data"]]

    @rule(asker=_askers, user=_people, subject=_subjects)
    def add(self, asker, user, subject):
        body = {"kind": "dialogue", "output": self.text(user, subject), "uses": ["prompt", "share"]}
        answer = self.ask(asker, user, "POST", f"/v1/users/{user}/records", body)
        if answer.status_code == 201:
            self.ids[user]["records"].append(answer.json()["id"])

    @rule(asker=_askers, user=_people, subject=_subjects, key=_subjects)
    def add_with_a_key_that_others_use(self, asker, user, subject, key):
        """The same Idempotency-Key means another write for each of them."""
        body = {"kind": "dialogue", "output": f"{secret(user)} on {key}", "time": 1e9}
        path = f"/v1/users/{user}/records"
        answer = self.ask(asker, user, "POST", path, body, **{"Idempotency-Key": key})
        if answer.status_code == 201:
            assert answer.json()["user"] == user

    @rule(asker=_askers, user=_people, pick=_picks, subject=_subjects)
    def correct(self, asker, user, pick, subject):
        path = f"/v1/users/{user}/records/{self.named(user, 'records', pick)}"
        self.ask(asker, user, "PATCH", path, {"output": self.text(user, subject)})

    @rule(asker=_askers, user=_people, pick=_picks)
    def forget(self, asker, user, pick):
        path = f"/v1/users/{user}/records/{self.named(user, 'records', pick)}"
        self.ask(asker, user, "DELETE", path)

    @rule(asker=_askers, user=_people, name=_subjects)
    def say_who_one_is(self, asker, user, name):
        body = {"value": self.text(user, name)}
        self.ask(asker, user, "PUT", f"/v1/users/{user}/profile/{name}", body)

    @rule(
        asker=_askers,
        user=_people,
        methods=_methods,
        stream=strategies.booleans(),
        temporary=strategies.booleans(),
    )
    def chat(self, asker, user, methods, stream, temporary):
        body = {
            "model": "ipse",
            "messages": [{"role": "user", "content": f"{QUESTION} {secret(user)}"}],
            "personalization": {"methods": methods, "explain": True, "temporary": temporary},
            "stream": stream,
        }
        answer = self.ask(asker, user, "POST", CHAT, body, good=200)
        if not stream and not temporary:
            name = answer.json()["personalization"]["reply_id"]
            self.ids[user]["replies"] += [name] if name else []

    @rule(asker=_askers, user=_people, pick=_picks, thumb=strategies.sampled_from(("up", "down")))
    def give_feedback(self, asker, user, pick, thumb):
        name = self.named(user, "replies", pick)
        path = f"/v1/users/{user}/replies/{name}/feedback"
        self.ask(asker, user, "POST", path, {"thumb": thumb})

    @rule(asker=_askers, user=_people, methods=_methods)
    def enroll(self, asker, user, methods):
        answer = self.ask(asker, user, "POST", f"/v1/users/{user}/enroll", {"methods": methods})
        if answer.status_code == 202:
            self.ids[user]["jobs"].append(answer.json()["id"])

    @rule()
    def fit(self):
        self.ask("service", "ada", "POST", "/v1/fit", {"methods": "bm25+facets"}, good=202)

    @rule(asker=_askers, user=_people, on=strategies.booleans())
    def pause(self, asker, user, on):
        self.ask(asker, user, "PUT" if on else "DELETE", f"/v1/users/{user}/pause", good=200)
        self.paused[user] = on
        for each in PEOPLE:
            assert (self.engine.store.pauses.since(each) is not None) == self.paused[each]

    @rule(asker=_askers, user=_people)
    def erase(self, asker, user):
        other = self.engine.store.revision(other_than(user))
        if self.ask(asker, user, "DELETE", f"/v1/users/{user}").status_code == 200:
            self.paused[user] = False
        for path in ("records", "replies"):
            answer = self.ask(asker, user, "GET", f"/v1/users/{user}/{path}", good=200)
            assert answer.json()["data"] == []
        assert self.engine.store.revision(other_than(user)) == other
        found = self.ask(asker, other_than(user), "GET", f"/v1/users/{other_than(user)}/records")
        assert bool(found.json()["data"]) == (other > 0)

    @rule(asker=_askers, user=_people)
    def take_away_and_bring_back(self, asker, user):
        exported = self.ask(asker, user, "GET", f"/v1/users/{user}/export")
        if exported.status_code == 200:
            with zipfile.ZipFile(io.BytesIO(exported.content)) as packed:
                for name in packed.namelist():
                    text = packed.read(name).decode(errors="replace")
                    assert secret(other_than(user)) not in text
                    assert f'"{other_than(user)}"' not in text
            for whose in PEOPLE:
                path = f"/v1/users/{whose}/import"
                sent = self.keys[whose]
                answer = self.client.post(path, content=exported.content, headers=sent)
                assert answer.status_code in ((200, 409) if whose == user else (409, 422))

    @rule(asker=_askers, user=_people, subject=_subjects, pick=_picks)
    def remember_as_mem0_does(self, asker, user, subject, pick):
        said = {"messages": self.text(user, subject), "user_id": user}
        answer = self.ask(asker, user, "POST", "/v1/memories/", said)
        if answer.status_code == 200:
            self.ids[user]["memories"] += [each["id"] for each in answer.json()["results"]]
        whose = {"filters": {"user_id": user}}
        self.ask(asker, user, "POST", "/v3/memories/search/", {"query": subject, **whose}, good=200)
        self.ask(asker, user, "POST", "/v3/memories/", whose, good=200)
        path = f"/v1/memories/{self.named(user, 'memories', pick)}/"
        self.ask(asker, user, "PUT", path, {"text": self.text(user, subject)})
        self.ask(asker, user, "GET", f"{path}history/")

    @rule(asker=_askers, user=_people, subject=_subjects)
    def call_tools(self, asker, user, subject):
        for name, given in (
            ("add_memory", {"text": self.text(user, subject)}),
            ("search_memories", {"query": subject}),
            ("list_memories", {}),
            ("get_profile", {}),
        ):
            body = {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": name, "arguments": given},
            }
            accept = {"Accept": "application/json, text/event-stream"}
            self.ask(asker, user, "POST", "/mcp", body, good=200, **accept)

    @rule(user=_people, pick=_picks)
    def reach_for_the_others(self, user, pick):
        """With a key of one's own, by any path, in any body: the other is out of reach."""
        other, ids = other_than(user), self.ids[other_than(user)]
        before, paused = self.engine.store.revision(other), self.engine.store.pauses.since(other)
        theirs = f"/v1/users/{other}"
        for method, path, body in (
            ("GET", theirs, None),
            ("DELETE", theirs, None),
            ("GET", f"{theirs}/export", None),
            ("PUT", f"{theirs}/pause", None),
            ("POST", f"{theirs}/records", {"kind": "dialogue", "output": "mine"}),
            ("POST", f"{theirs}/search", {"query": "secret"}),
            ("POST", "/v1/memories/", {"messages": "mine", "user_id": other}),
            ("POST", "/v2/memories/search/", {"query": "secret", "filters": {"user_id": other}}),
            ("DELETE", f"/v1/memories/?user_id={other}", None),
            (
                "POST",
                CHAT,
                {"model": "ipse", "user": other, "messages": [{"role": "user", "content": "?"}]},
            ),
        ):
            self.ask("own", user, method, path, body, good=403)
        own = f"/v1/users/{user}"
        for kind, name in ((kind, self.named(other, kind, pick)) for kind in ids):
            for method, path, body in {
                "records": [
                    ("GET", f"{own}/records/{name}", None),
                    ("PATCH", f"{own}/records/{name}", {"output": "mine"}),
                    ("DELETE", f"{own}/records/{name}", None),
                ],
                "replies": [
                    ("GET", f"{own}/replies/{name}", None),
                    ("POST", f"{own}/replies/{name}/feedback", {"thumb": "up"}),
                ],
                "states": [
                    ("POST", f"{own}/states/{name}/rollback", None),
                    ("GET", f"{own}/states/{name}/adapter", None),
                ],
                "jobs": [("GET", f"{own}/jobs/{name}", None)],
                "memories": [
                    ("GET", f"/v1/memories/{name}/", None),
                    ("PUT", f"/v1/memories/{name}/", {"text": "mine"}),
                    ("DELETE", f"/v1/memories/{name}/", None),
                ],
            }[kind]:
                # Who is paused hears of their own pause first, whatever they would say of.
                good = 409 if self.paused[user] and path.endswith("/feedback") else 404
                for asker in ("own", "service"):
                    self.ask(asker, user, method, path, body, good=good)
        assert self.engine.store.revision(other) == before
        assert self.engine.store.pauses.since(other) == paused

    @rule(stream=strategies.booleans())
    def ask_at_once(self, stream):
        """Both ask several times at the same moment; each gets what is theirs."""

        def body(user):
            return {
                "model": "ipse",
                "messages": [{"role": "user", "content": f"{QUESTION} {secret(user)}"}],
                "personalization": {"methods": "facets+bm25", "temporary": True},
                "stream": stream,
            }

        with ThreadPoolExecutor(2 * len(PEOPLE)) as pool:
            asked = [
                (user, pool.submit(self.ask, "own", user, "POST", CHAT, body(user), 200))
                for user in PEOPLE * 2
            ]
        for user, answer in asked:
            assert secret(user) in answer.result().text

    @rule(user=_people)
    def look_around(self, user):
        for path in ("", "/records", "/profile", "/states", "/jobs", "/replies"):
            self.ask("own", user, "GET", f"/v1/users/{user}{path}")
        self.ask("own", user, "POST", f"/v1/users/{user}/search", {"query": QUESTION}, good=200)

    @invariant()
    def an_answer_is_what_it_would_be_without_the_others(self):
        """The tokens of a person's answer follow from their own records alone."""
        for user in PEOPLE:
            body = {
                "model": "ipse",
                "messages": [{"role": "user", "content": QUESTION}],
                "personalization": {"methods": "facets+bm25", "temporary": True},
            }
            answer = self.ask("service", user, "POST", CHAT, body, good=200)
            try:
                records = self.engine.store.user(user).records
            except UnknownUser:
                records = ()
            engine = self.alone[user]
            engine.add(records)
            expected = engine.ask(user, QUESTION, methods="facets+bm25").text
            if records:
                engine.forget(user)
            assert answer.json()["choices"][0]["message"]["content"] == expected

    @invariant()
    def nobody_gets_the_generic_model(self):
        generic = f"[user] {QUESTION}"
        for headers in ({}, {"X-Ipse-User": ""}, {"X-Ipse-User": "nobody"}):
            body = {
                "model": "ipse",
                "messages": [{"role": "user", "content": QUESTION}],
                "personalization": {"temporary": True},
            }
            sent = self.keys["service"] | headers
            answer = self.client.post(CHAT, json=body, headers=sent)
            assert answer.status_code == 200, answer.text
            assert answer.json()["choices"][0]["message"]["content"] == generic
            assert "secret-of" not in json.dumps(answer.json())


class TestIsolation(Isolation.TestCase):
    """A few runs; each is a life of both."""

    settings = settings(
        max_examples=3,
        stateful_step_count=10,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
