"""Replies: kept for feedback, and gone with whatever they were made of."""

import json
import shutil
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from ipse.errors import Conflict, InvalidFile, UnknownReply
from ipse.store import StoredReply
from tests.store.samples import START, answered, audit, batch, made_from, record
from tests.store.test_transfer import lines, repack

SECRET = "Rumpelstiltskin"


@pytest.fixture
def other(template, tmp_path):
    opener, folder = template
    shutil.copytree(folder, tmp_path / "other")
    with opener(tmp_path / "other") as store:
        yield store


def test_what_is_kept_is_given_back_newest_first(store):
    store.add(batch(3))
    state = store.keep(made_from(batch(2)))
    first = answered(store, 0, evidence=batch(1), states=[state])
    second = answered(store, 1)
    assert first == StoredReply(
        "ada-0", "ada", START, "question 0", "an answer", "mean",
        (record(0).id,), (), (state.id,), 1.0,
    )  # fmt: skip
    assert store.replies("ada") == [second, first]
    assert store.replies("ada", 1) == [second]
    assert store.replies("bob") == []


def test_a_reply_is_given_once_it_is_whole(store):
    store.add(batch(1))
    store.begin_reply(StoredReply("one", "ada", START, "Why?"))
    with pytest.raises(UnknownReply, match=r"no reply 'one' to 'ada'.*ipse replies ada"):
        store.reply("one", "ada")
    assert store.replies("ada") == []
    assert store.finish_reply("one", "Because.")
    assert not store.finish_reply("one", "Otherwise.")
    assert store.reply("one", "ada").text == "Because."


def test_another_persons_reply_is_as_unknown_as_none(store):
    store.add([*batch(1), *batch(1, "bob")])
    answered(store, user="bob")
    for name in ("bob-0", "nothing", "\udcff"):
        with pytest.raises(UnknownReply):
            store.reply(name, "ada")


def test_the_latest_are_kept_and_origins_that_none_names_go(store, tmp_path):
    store.add(batch(5))
    state = store.keep(made_from(batch(2)))
    for n in range(5):
        answered(store, n, evidence=[record(n)], states=[state] if n < 2 else (), most=3)
    assert [reply.id for reply in store.replies("ada")] == ["ada-4", "ada-3", "ada-2"]
    audit(store, tmp_path)


@pytest.mark.parametrize("what", ["evidence", "states"])
def test_a_reply_made_of_what_is_gone_is_not_begun(store, what):
    store.add(batch(2))
    made = record(0) if what == "evidence" else store.keep(made_from(batch(1)))
    store.forget_record(record(0).id)
    with pytest.raises(Conflict, match="made of is gone"):
        answered(store, **{what: [made]})
    assert store.replies("ada") == []


def test_another_persons_record_is_no_evidence(store):
    store.add([*batch(1), *batch(1, "bob")])
    with pytest.raises(Conflict, match="made of is gone"):
        answered(store, evidence=batch(1, "bob"))


def test_nobody_has_no_replies(store):
    with pytest.raises(Conflict, match="nobody 'ada'"):
        answered(store)


def test_a_record_goes_with_the_replies_that_read_it(store, tmp_path):
    store.add(batch(3))
    answered(store, 0, evidence=batch(2), text=SECRET)
    kept = answered(store, 1, evidence=[record(2)])
    receipt = store.forget_record(record(1).id)
    assert (receipt.replies, receipt.to_json()["replies"]) == (1, 1)
    assert store.replies("ada") == [kept]
    audit(store, tmp_path)
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in raw


def test_a_record_goes_with_the_replies_whose_states_were_made_of_it(store, tmp_path):
    store.add([*batch(3), *batch(1, "bob")])
    shared = store.keep(made_from(batch(1, "bob"), user=None))
    child = store.keep(made_from(batch(1), method="child", parents=[shared]))
    answered(store, 0, states=[child])
    apart = answered(store, 1, states=[store.keep(made_from([record(1)], method="apart"))])
    receipt = store.forget_user("bob")
    assert receipt.replies == 1
    assert "ada" not in json.dumps(receipt.to_json())
    assert store.replies("ada") == [apart]
    assert store.forget_record(record(1).id).replies == 1
    audit(store, tmp_path)


def test_a_reply_remembers_a_state_that_was_replaced_since(store, tmp_path):
    store.add(batch(3))
    for n in range(2):
        answered(store, n, states=[store.keep(made_from([record(n)]))])
    assert len(store.states()) == 1
    assert store.forget_record(record(0).id).replies == 1
    assert [reply.id for reply in store.replies("ada")] == ["ada-1"]
    audit(store, tmp_path)


def test_a_reply_goes_with_what_the_replies_before_it_read(store, tmp_path):
    store.add(batch(3))
    first = answered(store, 0, evidence=batch(1))
    second = answered(store, 1, evidence=[record(1)], after=[first])
    third = answered(store, 2, after=[second])
    assert third.read == (record(1).id, record(0).id)
    assert store.forget_record(record(0).id).replies == 3
    audit(store, tmp_path)
    with pytest.raises(UnknownReply):
        answered(store, 3, after=[third])


def test_what_is_forgotten_while_a_reply_is_written_keeps_it_from_being_kept(store):
    store.add(batch(2))
    store.begin_reply(StoredReply("one", "ada", START, "Why?", evidence=(record(0).id,)))
    store.forget_record(record(0).id)
    assert not store.finish_reply("one", SECRET)
    assert store.replies("ada") == []


def test_a_dropped_reply_leaves_nothing(store, tmp_path):
    store.add(batch(1))
    store.begin_reply(StoredReply("one", "ada", START, "Why?", evidence=(record(0).id,)))
    store.drop_reply("one")
    store.drop_reply("one")
    audit(store, tmp_path)
    assert store.forget_user("ada").replies == 0


def test_a_person_goes_with_all_replies_to_them(store, tmp_path):
    store.add([*batch(2), *batch(1, "bob")])
    answered(store, 0)
    answered(store, 1, evidence=batch(1))
    bobs = answered(store, user="bob")
    assert store.forget_user("ada").replies == 2
    assert store.replies("bob") == [bobs]
    audit(store, tmp_path)


def test_what_quotes_a_record_goes_with_it_and_so_does_what_quotes_that(store, tmp_path):
    told = record(1, meta={"evidence": [record(0).id]})
    again = record(2, meta={"evidence": [told.id]})
    apart = record(3, meta={"evidence": [record(0).id + "x"], "note": record(0).id})
    store.add([record(0), told, again, apart])
    answered(store, evidence=[again])
    store.keep(made_from([again]))
    receipt = store.forget_record(record(0).id)
    assert receipt.records == (record(0).id, told.id, again.id)
    assert (receipt.replies, len(receipt.states)) == (1, 1)
    assert store.user("ada").records == (apart,)
    audit(store, tmp_path)


def test_who_has_nothing_but_quotes_leaves_with_the_record(store, tmp_path):
    store.add([record(0), record(1, meta={"evidence": [record(0).id]}), record(0, "bob")])
    store.forget_record(record(0).id)
    assert [person.id for person in store.users().items] == ["bob"]
    audit(store, tmp_path)


def test_another_persons_records_quote_nothing_of_mine(store):
    store.add([*batch(2), record(5, "bob", meta={"evidence": [record(0).id]})])
    store.forget_record(record(0).id)
    assert len(store.user("bob")) == 1


def test_replies_travel_with_a_person_and_are_forgotten_there(store, other, tmp_path):
    store.add(batch(3))
    state = store.keep(made_from(batch(2)))
    first = answered(store, 0, evidence=[record(2)], states=[state])
    answered(store, 1, after=[first])
    manifest = store.export_user("ada", tmp_path / "ada.zip")
    assert manifest.replies == 2
    assert other.import_user(tmp_path / "ada.zip").replies == 2
    assert other.replies("ada") == store.replies("ada")
    assert other.import_user(tmp_path / "ada.zip").replies == 0
    audit(other, tmp_path / "other")
    other.forget_record(record(0).id)
    assert other.replies("ada") == []
    audit(other, tmp_path / "other")


def test_a_reply_made_of_other_peoples_records_is_taken_where_these_are_known(
    store, other, tmp_path
):
    store.add([*batch(2), record(0, "bob-the-secret")])
    shared = store.keep(made_from([*batch(1), record(0, "bob-the-secret")], user=None))
    answered(store, 0, states=[shared])
    own = answered(store, 1)
    store.export_user("ada", tmp_path / "ada.zip")
    assert b"secret" not in (tmp_path / "ada.zip").read_bytes()
    assert other.import_user(tmp_path / "ada.zip").replies == 1
    assert other.replies("ada") == [own]
    store.drop_reply("ada-0")
    assert store.import_user(tmp_path / "ada.zip").replies == 1
    assert store.forget_user("bob-the-secret").replies == 1
    audit(store, tmp_path)


def test_the_same_replies_give_the_same_bytes_and_none_gives_no_member(store, tmp_path):
    store.add(batch(2))
    store.export_user("ada", tmp_path / "none.zip")
    with zipfile.ZipFile(tmp_path / "none.zip") as file:
        assert "replies.jsonl" not in file.namelist()
    answered(store, 0, evidence=batch(2))
    for name in ("one.zip", "two.zip"):
        store.export_user("ada", tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"user": "bob"},
        {"evidence": ["bobs"]},
        {"own": {"x": ["bobs"]}},
        {"time": "now"},
        {"strength": float("nan")},
        {"text": 5},
        {"x": 1},
    ],
    ids=str,
)
def test_a_line_that_is_no_reply_is_refused(store, other, tmp_path, change):
    store.add(batch(1))
    answered(store)
    path = tmp_path / "ada.zip"
    store.export_user("ada", path)
    repack(path, lines(path, "replies.jsonl", lambda item: item | change))
    with pytest.raises(InvalidFile):
        other.import_user(path)
    assert other.count() == 0


def test_a_reply_id_taken_by_another_person_is_a_conflict(store, other, tmp_path):
    store.add(batch(1))
    answered(store)
    store.export_user("ada", tmp_path / "ada.zip")
    other.add(batch(1, "bob"))
    other.begin_reply(replace(store.reply("ada-0", "ada"), user="bob"))
    with pytest.raises(Conflict, match="'ada-0' is taken"):
        other.import_user(tmp_path / "ada.zip")


def test_keeping_one_more_reply_takes_a_dozen_statements(store):
    store.add([record(number) for number in range(6)])
    read = tuple(record(number).id for number in range(6))
    for name in ("one", "two"):
        store.begin_reply(StoredReply(name, "ada", START, "Why?", evidence=read), most=1)
    run = []
    event.listen(store._database._engine, "before_cursor_execute", lambda *said: run.append(said))
    reply = StoredReply("three", "ada", START + timedelta(days=1), "Why?", evidence=read)
    store.begin_reply(reply, most=1)
    assert store.finish_reply("three", "Because.")
    assert [each.id for each in store.replies("ada")] == ["three"]
    assert len(run) <= 12


def test_what_is_too_old_goes_a_tenth_at_a_time(store):
    """Never fewer than are asked for, never a tenth more, and the latest of them."""
    store.add([record(0)])
    counts = []
    for n in range(65):
        answered(store, n, most=20)
        counts.append(len(store.replies("ada")))
    assert max(counts) == 22
    assert min(counts[20:]) == 20
    assert [each.id for each in store.replies("ada", 20)] == [f"ada-{n}" for n in range(64, 44, -1)]
