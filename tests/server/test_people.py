"""What is known of people, over HTTP."""

import io
import time
import zipfile
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from ipse.errors import UnknownUser
from ipse.server import create_app
from ipse.settings import Settings
from ipse.store import StoredReply
from tests.server.conftest import LOCAL, bearer
from tests.store.samples import made_from

SAID = {"kind": "dialogue", "output": "I never eat meat."}
ADA, BOB = "/v1/users/ada", "/v1/users/bob"


def test_a_record_is_added_read_corrected_and_forgotten(client, engine):
    added = client.post(f"{ADA}/records", json=SAID)
    assert added.status_code == 201
    record = added.json()
    assert (record["output"], record["user"], record["new"]) == (SAID["output"], "ada", True)
    assert engine.store.record(record["id"]).output == SAID["output"]
    address = f"{ADA}/records/{record['id']}"
    assert client.get(address).json() == {k: v for k, v in record.items() if k != "new"}

    corrected = client.patch(address, json={"output": "I eat fish."}).json()
    assert corrected["record"]["output"] == "I eat fish."
    assert corrected["record"]["time"] == record["time"]
    assert corrected["receipt"]["records"] == [record["id"]]
    assert client.get(address).json() == corrected["record"]
    again = client.patch(address, json={"output": "I eat anything."}).json()["record"]
    assert again["id"] == f"{record['id']}~3"
    assert len(again["meta"]["corrected"]) == 2

    receipt = client.delete(address).json()
    assert (receipt["user"], receipt["records"]) == ("ada", [again["id"]])
    assert client.get(address).status_code == client.delete(address).status_code == 404


def test_of_a_batch_the_good_ones_are_taken_and_of_the_others_it_is_said_why_not(client, engine):
    before = len(engine.store.user("ada"))
    bad = [
        {"kind": "dialogue", "output": " "},
        {"kind": "opinion", "output": "x"},
        {"id": "mine", **SAID},
        {"user": "bob", **SAID},
        {"output": "x", "kind": "content", "time": "yesterday"},
    ]
    sent = [SAID, *bad, {**SAID, "output": "I like tea."}]
    results = client.post(f"{ADA}/records/batch", json={"records": sent}).json()["results"]
    assert [("id" in each) for each in results] == [True, *[False] * len(bad), True]
    assert "kind" in results[2]["error"]["message"]
    assert len(engine.store.user("ada")) == before + 2
    assert len(engine.store.user("bob")) == 16


def test_records_are_listed_a_page_at_a_time_and_filtered(client, engine):
    everything = [record.id for record in reversed(engine.store.user("ada").records)]
    seen, cursor = [], None
    while True:
        given = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{ADA}/records", params=given).json()
        seen += [record["id"] for record in page["data"]]
        if (cursor := page["cursor"]) is None:
            break
    assert seen == everything
    kinds = client.get(f"{ADA}/records", params={"kind": ["profile", "preference"]}).json()["data"]
    assert {record["kind"] for record in kinds} == {"profile", "preference"}
    client.post(f"{ADA}/records", json={**SAID, "source": "phone", "time": "2020-01-01T00:00Z"})
    for only in ({"source": "phone"}, {"before": "2020-01-02T00:00Z"}):
        (found,) = client.get(f"{ADA}/records", params=only).json()["data"]
        assert found["output"] == SAID["output"]
    assert (
        len(client.get(f"{ADA}/records", params={"since": "2020-01-02T00:00Z"}).json()["data"])
        == 16
    )


def test_search_gives_the_best_first_and_nothing_of_others(client):
    client.post(f"{ADA}/records", json=SAID)
    client.post(f"{BOB}/records", json={**SAID, "output": "I eat meat daily."})
    found = client.post(f"{ADA}/search", json={"query": "does she eat meat?", "limit": 3}).json()
    assert found["results"][0]["record"]["output"] == SAID["output"]
    scores = [each["score"] for each in found["results"]]
    assert scores == sorted(scores, reverse=True)
    assert {each["record"]["user"] for each in found["results"]} == {"ada"}
    only = {"query": "meat", "kinds": ["profile"]}
    results = client.post(f"{ADA}/search", json=only).json()["results"]
    assert {each["record"]["kind"] for each in results} == {"profile"}
    assert client.post("/v1/users/nobody/search", json={"query": "meat"}).json() == {"results": []}


def test_a_write_with_a_key_is_done_once_and_answered_alike(client, engine):
    headers = {"Idempotency-Key": "one"}
    before = len(engine.store.user("ada"))
    first = client.post(f"{ADA}/records", json=SAID, headers=headers)
    again = client.post(f"{ADA}/records", json=SAID, headers=headers)
    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(engine.store.user("ada")) == before + 1
    other = client.post(f"{ADA}/records", json={**SAID, "output": "No."}, headers=headers)
    assert other.status_code == 409
    assert client.post(f"{BOB}/records", json=SAID, headers=headers).json()["new"]
    address = f"{ADA}/records/{first.json()['id']}"
    deletes = [client.delete(address, headers={"Idempotency-Key": "two"}) for _ in range(2)]
    assert deletes[0].json() == deletes[1].json()
    assert client.post(f"{ADA}/records", json=SAID, headers=headers).json() == first.json()
    assert len(engine.store.user("ada")) == before


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_bad_idempotency_key_is_refused(client, key):
    answer = client.post(f"{ADA}/records", json=SAID, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_every_write_can_be_repeated(client, engine):
    """Each of them twice with one key: the same answer, and nothing done twice."""
    reply = engine.ask("ada", "What do I eat?")
    record = client.post(f"{ADA}/records", json=SAID).json()["id"]
    exported = client.get(f"{ADA}/export").content
    writes = [
        ("POST", f"{ADA}/records/batch", {"json": {"records": [SAID, SAID]}}),
        ("PATCH", f"{ADA}/records/{record}", {"json": {"output": "I do."}}),
        ("POST", f"{ADA}/replies/{reply.id}/feedback", {"json": {"thumb": "up", "rating": 4}}),
        ("PUT", f"{ADA}/profile/diet", {"json": {"value": "vegetarian"}}),
        ("POST", f"{ADA}/enroll", {}),
        ("POST", f"{BOB}/import", {"content": exported}),
        ("POST", f"{ADA}/import", {"content": exported}),
        ("PUT", f"{ADA}/pause", {}),
        ("DELETE", f"{ADA}/pause", {}),
        ("POST", "/v1/memories/", {"json": {"messages": "I like tea.", "user_id": "ada"}}),
        ("PUT", f"/v1/memories/{record}/", {"json": {"text": "I do not."}}),
        ("DELETE", f"/v1/memories/{record}/", {}),
        ("DELETE", ADA, {}),
    ]
    for number, (method, path, sent) in enumerate(writes):
        headers = {"Idempotency-Key": str(number)}
        first = client.request(method, path, headers=headers, **sent)
        revision = engine.store.revision("ada")
        again = client.request(method, path, headers=headers, **sent)
        assert engine.store.revision("ada") == revision, path
        assert first.status_code == again.status_code, path
        moving = ("status", "begun", "ended", "share", "doing", "attempts", "states")
        shown = [{k: v for k, v in a.json().items() if k not in moving} for a in (first, again)]
        assert shown[0] == shown[1], path
        expected = 422 if path.startswith(BOB) else (200, 201, 202)
        assert first.status_code in (expected if isinstance(expected, tuple) else (expected,)), path


def test_who_is_paused_has_nothing_kept_or_learned(client, engine):
    assert client.put(f"{ADA}/pause").json()["paused"]
    assert client.get(ADA).json()["paused"]
    before = engine.store.revision("ada")
    reply = engine.ask("ada", "What do I eat?").id
    for method, path, body in [
        ("POST", f"{ADA}/records", SAID),
        ("POST", f"{ADA}/records/batch", {"records": [SAID]}),
        ("POST", f"{ADA}/replies/{reply}/feedback", {"thumb": "up"}),
        ("PUT", f"{ADA}/profile/diet", {"value": "vegetarian"}),
        ("POST", f"{ADA}/enroll", None),
        ("POST", "/v1/memories/", {"messages": "I like tea.", "user_id": "ada"}),
    ]:
        answer = client.request(method, path, json=body)
        assert answer.status_code == 409, path
        assert "paused" in answer.json()["error"]["message"]
    assert engine.store.revision("ada") == before
    assert not client.delete(f"{ADA}/pause").json()["paused"]
    assert client.post(f"{ADA}/records", json=SAID).status_code == 201


def test_the_profile_is_seen_and_corrected(client, engine):
    for value in ("vegetarian", "vegan"):
        answer = client.put(f"{ADA}/profile/diet%2Ffood", json={"value": value}).json()
        assert answer["attribute"]["output"] == value
    said = client.get(f"{ADA}/profile").json()
    assert "vegan" in said["profile"]
    assert "vegetarian" not in said["profile"]
    diets = [each for each in said["attributes"] if each["input"] == "diet/food"]
    assert [each["output"] for each in diets] == ["vegan"]
    assert client.get("/v1/users/nobody/profile").status_code == 404


def test_a_past_reply_is_explained_and_spoken_of(client, engine):
    client.post(f"{ADA}/records", json=SAID)
    reply = engine.ask("ada", "Do I eat meat?")
    (shown,) = client.get(f"{ADA}/replies").json()["data"]
    assert (shown["id"], shown["answer"]) == (reply.id, reply.text)
    why = client.get(f"{ADA}/replies/chatcmpl-{reply.id}").json()
    assert [each["id"] for each in why["evidence"]] == list(reply.plan.evidence)
    assert SAID["output"] in [each["output"] for each in why["evidence"]]
    assert [(each["method"], each["of"]) for each in why["states"]] == [("bm25", "own")]
    told = client.post(f"{ADA}/replies/{reply.id}/feedback", json={"thumb": "down"})
    assert told.status_code == 201
    (record,) = told.json()["records"]
    assert (record["kind"], record["output"]) == ("interaction", "down")
    assert client.get(f"{BOB}/replies/{reply.id}").status_code == 404
    nothing = client.post(f"{ADA}/replies/{reply.id}/feedback", json={})
    assert nothing.status_code == 422


def wait_for(client, path):
    for _ in range(400):
        job = client.get(path).json()
        if job["status"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(job)


def test_a_person_is_asked_about_two_answers_and_what_they_say_is_learned_of(client, engine):
    texts = ["No.", "No, for many reasons, one after the other.", "Yes!", "It may be so."]
    body = {"question": "Is it so?", "texts": texts}
    refused = client.post(f"{ADA}/question", json=body)
    assert refused.status_code == 422
    assert "ipse enroll --fit" in refused.json()["error"]["message"]
    share = ["prompt", "train", "share"]
    for n in range(6):
        told = {"kind": "preference", "input": f"So {n}?", "uses": share}
        pair = {"output": f"Yes {n}.", "rejected": f"Yes, for very many reasons {n}."}
        assert client.post(f"{BOB}/records", json={**told, **pair}).status_code == 201
    engine.fit("low-rank-reward")
    first = client.post(f"{ADA}/question", json=body).json()
    assert {first["first"], first["second"], first["best"]} <= set(texts)
    said = {"kind": "preference", "input": "Is it so?"}
    said |= {"output": first["first"], "rejected": first["second"]}
    assert client.post(f"{ADA}/records", json=said).status_code == 201
    second = client.post(f"{ADA}/question", json=body).json()
    assert {second["first"], second["second"]} != {first["first"], first["second"]}
    assert client.post(f"{ADA}/question", json={**body, "by": "magic"}).status_code == 422


def test_enrolling_is_a_job_that_is_done_in_the_background(client, engine):
    asked = client.post(f"{ADA}/enroll", json={"methods": ["bm25", "recent"]})
    assert asked.status_code == 202
    job = wait_for(client, f"{ADA}/jobs/{asked.json()['id']}")
    assert (job["status"], job["states"], job["share"]) == ("done", 1, 1.0)
    assert [each["method"] for each in client.get(f"{ADA}/states").json()["data"]] == ["bm25"]
    assert client.get(f"{BOB}/jobs/{job['id']}").status_code == 404
    failing = client.post(f"{ADA}/enroll", json={"methods": "user-adapter"}).json()
    failed = wait_for(client, f"{ADA}/jobs/{failing['id']}")
    assert (failed["status"], bool(failed["error"])) == ("failed", True)
    assert client.post(f"{ADA}/enroll", json={"methods": "magic"}).status_code == 404
    assert client.post("/v1/users/nobody/enroll").status_code == 404
    everyone = client.post("/v1/fit", json={"methods": "bm25"}).json()
    assert wait_for(client, f"/v1/jobs/{everyone['id']}")["status"] == "done"
    assert [each["kind"] for each in client.get("/v1/jobs").json()["data"]] == ["fit"]


def test_a_job_that_was_cut_short_is_done_by_the_next_server(engine):
    job = engine.store.jobs.add("ada", "enroll", "bm25")
    engine.store.jobs.lease = 0.5  # seconds after which who is silent is held to be gone
    assert engine.store.jobs.take().id == job.id
    with TestClient(create_app(engine, Settings(backend="echo")), base_url=LOCAL) as client:
        assert wait_for(client, f"{ADA}/jobs/{job.id}")["attempts"] == 2


def test_a_person_is_exported_erased_and_imported(client, engine):
    reply = engine.ask("ada", "Which argument is better?")
    records = client.get(f"{ADA}/records").json()
    answer = client.get(f"{ADA}/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert "records.jsonl" in file.namelist()
    assert client.post(f"{BOB}/import", content=answer.content).status_code == 422
    receipt = client.delete(ADA).json()
    assert (len(receipt["records"]), receipt["replies"]) == (16, 1)
    assert client.get(ADA).status_code == client.delete(ADA).status_code == 404
    with pytest.raises(UnknownUser):
        engine.store.user("ada")
    taken = client.post(f"{ADA}/import", content=answer.content).json()
    assert taken["records"] == {"new": 16, "known": 0}
    assert client.get(f"{ADA}/records").json() == records
    assert client.get(f"{ADA}/replies/{reply.id}").status_code == 200
    assert client.post(f"{ADA}/import", content=b"no zip").status_code == 422


def test_people_are_listed_to_who_may_act_for_them(client, engine):
    people = client.get("/v1/users").json()
    assert [each["id"] for each in people["data"]] == ["ada", "bob"]
    at_a_glance = client.get(ADA).json()
    assert at_a_glance["records"] == 16
    own = engine.store.keys.create("ada")[0]
    for path in ("/v1/users", "/v1/jobs"):
        assert client.get(path, headers=bearer(own)).status_code == 403
    for path in ("/v1/fit", "/v1/enroll"):
        assert client.post(path, headers=bearer(own)).status_code == 403
    assert client.get(ADA, headers=bearer(own)).status_code == 200
    assert client.get(BOB, headers=bearer(own)).status_code == 403


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "../bob", "ü ñ", "a?b#c", "a~2", "%"])
def test_any_id_can_be_a_part_of_a_path(client, name):
    address = f"/v1/users/{quote(name, safe='')}"
    added = client.post(f"{address}/records", json=SAID)
    assert added.json()["user"] == name
    assert client.get(f"{address}/records/{added.json()['id']}").json()["output"] == SAID["output"]
    assert client.get(address).json()["id"] == name
    assert client.delete(address).json()["user"] == name


@pytest.mark.parametrize("name", ["%00", "a%0Ab", "%FF", "..", "%2E%2E", "x" * 300, "%ED%A0%80"])
def test_what_can_be_nobodys_id_is_refused(client, engine, name):
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/v1/users/{name}/records")
        assert 400 <= answer.status_code < 500
    assert len(engine.store.users().items) == 2


def test_a_state_is_listed_and_rolled_back_to_by_its_owner_alone(client, engine):
    engine.ask("ada", "Which argument is better?")
    (state,) = client.get(f"{ADA}/states").json()["data"]
    assert (state["method"], state["current"]) == ("bm25", True)
    assert client.post(f"{BOB}/states/{state['id']}/rollback").status_code == 404
    assert client.post(f"{ADA}/states/{state['id']}/rollback").status_code == 404
    assert client.get(f"{BOB}/states/{state['id']}/adapter").status_code == 404
    assert client.get(f"{ADA}/states/{state['id']}/adapter").status_code == 422


def test_whose_a_state_is_is_said_in_the_same_words_everywhere(client, engine):
    """In a kept reply, in an answer that explains itself, and in a receipt: own, or shared."""
    ada = engine.store.user("ada")
    shared = engine.store.keep(made_from(ada.records[:1], user=None, method="shared"))
    asked = {
        "model": "ipse",
        "user": "ada",
        "messages": [{"role": "user", "content": "Why?"}],
        "personalization": {"methods": "facets", "explain": True},
    }
    told = client.post("/v1/chat/completions", json=asked).json()["personalization"]
    why = client.get(f"{ADA}/replies/{told['reply_id']}").json()
    said = {each["id"]: each["of"] for each in why["states"]}
    assert said == {each["id"]: each["of"] for each in told["states"]}
    assert set(said.values()) == {"own"}
    reply = StoredReply("r", "ada", datetime.now(UTC), "?", methods="x", states=(shared.id,))
    engine.store.begin_reply(reply)
    engine.store.finish_reply("r", "text")
    assert client.get(f"{ADA}/replies/r").json()["states"][0]["of"] == "shared"
    receipt = client.delete(ADA).json()
    assert {each["id"]: each["of"] for each in receipt["states"]} == said | {shared.id: "shared"}
