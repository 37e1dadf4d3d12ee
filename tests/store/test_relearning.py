"""When a person is learned of anew: after so many new records, by one job, and not against them."""

import pytest

from ipse.store import Relearn
from ipse.store.relearning import _DUE
from tests.store.samples import batch, made_from, record

RULE = Relearn(3, "steer+bm25", ("steer",))


@pytest.fixture
def ruled(store):
    store.jobs.relearn = RULE
    return store


def waiting(store, user="ada"):
    return [(job.kind, job.methods) for job in store.jobs.latest(user) if job.status == "queued"]


def add(store, *numbers, user="ada"):
    store.add([record(n, user, id=f"{user}{n}") for n in numbers])


def test_enough_new_records_are_one_job(ruled):
    add(ruled, 0, 1)
    assert waiting(ruled) == []
    add(ruled, 2)
    assert waiting(ruled) == [("enroll", "steer+bm25")]
    add(ruled, 3, 4, 5, 6)
    assert len(waiting(ruled)) == 1


def test_what_is_known_already_is_not_new(ruled):
    for _ in range(5):
        add(ruled, 0, 1)
    assert waiting(ruled) == []


def test_each_person_is_counted_alone(ruled):
    ruled.add([*batch(3), *batch(2, "bob")])
    assert (len(waiting(ruled)), waiting(ruled, "bob")) == (1, [])


def test_it_is_counted_anew_when_learning_begins(ruled):
    add(ruled, 0, 1, 2)
    job = ruled.jobs.take()
    add(ruled, 3, 4)
    assert waiting(ruled) == []
    add(ruled, 5)
    assert len(waiting(ruled)) == 1  # while the first is under way: it read what was there
    assert ruled.jobs.end(job)
    assert ruled.jobs.take().id != job.id


def test_who_asks_for_it_gets_the_job_that_waits(ruled):
    add(ruled, 0, 1, 2)
    asked = ruled.jobs.add("ada", "enroll", "steer+bm25")
    assert [job.id for job in ruled.jobs.latest("ada")] == [asked.id]
    ruled.jobs.take()
    other = ruled.jobs.add("ada", "anew", "steer+bm25")
    add(ruled, 3, 4, 5)
    assert ruled.jobs.latest("ada", 1) == [other]


def test_other_methods_that_learn_leave_the_count(ruled):
    add(ruled, 0, 1)
    ruled.jobs.add("ada", "enroll", "facets")
    ruled.jobs.take()
    add(ruled, 2)
    assert len(waiting(ruled)) == 1


def test_learning_of_everybody_counts_everybody_anew(ruled):
    ruled.add([*batch(2), *batch(2, "bob")])
    ruled.jobs.add(None, "enroll", "steer+bm25")
    ruled.jobs.take()
    add(ruled, 7)
    add(ruled, 7, user="bob")
    assert waiting(ruled) == waiting(ruled, "bob") == []


def test_the_job_is_there_with_the_records_or_neither_is(ruled, reopen):
    """A server that dies right after the write has the job, for the next one."""
    add(ruled, 0, 1, 2)
    other = reopen()
    other.jobs.lease = 0.0
    assert other.jobs.take().user == "ada"
    other.jobs.put_back()
    assert other.jobs.take().attempts == 2


def test_without_a_rule_nothing_is_asked_for_and_all_is_counted(store):
    add(store, 0, 1, 2, 3)
    assert waiting(store) == []
    store.jobs.relearn = RULE
    add(store, 4)
    assert len(waiting(store)) == 1


def test_too_few_are_not_learned_of_unless_they_were_before(store):
    store.jobs.relearn = Relearn(3, "steer", ("steer",), fewest=5)
    add(store, 0, 1, 2)
    add(store, 3)
    assert waiting(store) == []
    store.keep(made_from([record(0, id="ada0")], method="other"))
    add(store, 4, user="bob")
    assert waiting(store) == []
    add(store, 4)
    assert len(waiting(store)) == 1
    add(store, 5, 6, 7, user="bob")
    assert waiting(store, "bob") == []
    store.keep(made_from([record(4, "bob", id="bob4")], method="steer", user="bob"))
    add(store, 8, user="bob")
    assert len(waiting(store, "bob")) == 1


def test_who_is_paused_is_neither_asked_about_nor_learned_of(ruled):
    ruled.pauses.set("bob", on=True)
    ruled.add(batch(3, "bob"))
    assert waiting(ruled, "bob") == []
    add(ruled, 0, 1, 2)
    ruled.pauses.set("ada", on=True)
    assert ruled.jobs.take() is None
    assert len(waiting(ruled)) == 1
    ruled.pauses.set("ada", on=False)
    job = ruled.jobs.take()
    assert ruled.jobs.tell(job, "half", 0.5)
    ruled.pauses.set("ada", on=True)
    assert not ruled.jobs.tell(job, "more", 0.7)
    assert ruled.jobs.put_down(job)


def test_a_job_and_a_count_go_with_the_person(ruled):
    add(ruled, 0, 1, 2)
    ruled.forget_user("ada")
    assert ruled.jobs.take() is None
    add(ruled, 3, 4)
    assert waiting(ruled) == []


def test_a_correction_is_a_new_record_and_a_forgetting_is_none(ruled):
    add(ruled, 0, 1)
    ruled.forget_record("ada0", "ada")
    assert waiting(ruled) == []
    ruled.replace("ada1", record(9, id="ada9"))
    assert len(waiting(ruled)) == 1


def test_an_import_counts(ruled, reopen, tmp_path):
    add(ruled, 0, 1, 2)
    ruled.export_user("ada", tmp_path / "ada.zip")
    ruled.forget_user("ada")
    ruled.import_user(tmp_path / "ada.zip")
    assert len(waiting(ruled)) == 1


def test_a_write_costs_the_same_however_much_is_known(ruled):
    """The query looks at one person's rows by indexes, and at no record."""
    with ruled._database.reading() as connection:
        given = {"every": 3, "fewest": 1, "methods": "m", "trained": ["steer"], "ids": ["ada"]}
        compiled = _DUE.params(**given).compile(
            connection.engine, compile_kwargs={"literal_binds": True}
        )
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
    steps = [row[3] for row in plan]
    assert steps
    assert not any(step.startswith("SCAN") or "records" in step for step in steps), steps
