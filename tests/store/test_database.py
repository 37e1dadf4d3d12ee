"""The tables, their versions, and the rules that all queries keep."""

import re
import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import ipse.store
from ipse.errors import StoreFailure, UsageError
from ipse.store import Store, schema
from tests.store.samples import batch, made_from, same_state

ROOM = Path(ipse.store.__file__).parent
FIRST_LINEAGE = """
ALTER TABLE lineage RENAME TO newer;
DROP INDEX ix_lineage_record;
CREATE TABLE lineage (
    state TEXT NOT NULL REFERENCES states(id), position INTEGER NOT NULL,
    record TEXT NOT NULL REFERENCES records(id), PRIMARY KEY (state, position)
) WITHOUT ROWID;
CREATE INDEX ix_lineage_record ON lineage (record);
INSERT INTO lineage SELECT list, position, record FROM newer;
DROP TABLE newer;
"""


def tables(path):
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {name: " ".join(sql.split()) for name, sql in rows}
    connection.close()
    return found


def test_migrating_gives_the_tables_of_the_schema(tmp_path):
    Store.open(tmp_path / "migrated.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    schema.metadata.create_all(engine)
    engine.dispose()
    migrated = tables(tmp_path / "migrated.db")
    del migrated["alembic_version"]
    assert migrated == tables(tmp_path / "created.db")


def test_a_store_of_the_first_version_is_opened_with_all_that_is_in_it(tmp_path):
    with Store.open(tmp_path / "old.db") as store:
        store.add(batch(2))
        kept = store.keep(made_from(batch(2)))
    connection = sqlite3.connect(tmp_path / "old.db")
    connection.executescript(FIRST_LINEAGE)
    newer = ("versions", "sources", "origins", "replies", "keys", "jobs", "writes", "paused")
    connection.executescript("".join(f"DROP TABLE {table};" for table in newer))
    for table, column in (("users", "unlearned"), ("users", "shrunk"), ("states", "lineage")):
        connection.executescript(f"DROP INDEX IF EXISTS ix_{table}_{column};")
        connection.executescript(f"ALTER TABLE {table} DROP COLUMN {column};")
    connection.executescript("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    assert "versions" not in tables(tmp_path / "old.db")
    with Store.open(tmp_path / "old.db") as store:
        assert len(store.user("ada")) == 2
        assert same_state(store.state(kept.key), kept)
        store.keep(made_from(batch(2), arrays={}), previous=1)
        assert store.rollback(kept.id).id == kept.id
        assert store.replies("ada") == []
        assert store.forget_record(batch(2)[0].id).states
    assert "versions" in tables(tmp_path / "old.db")


def test_the_version_is_that_of_the_newest_migration():
    assert ScriptDirectory(str(ROOM / "migrations")).get_current_head() == schema.VERSION


def test_a_store_of_a_newer_ipse_is_refused(tmp_path):
    Store.open(tmp_path / "a.db").close()
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreFailure, match=r"'9999'.*pip install --upgrade ipse"):
        Store.open(tmp_path / "a.db")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreFailure, match="not a database"):
        Store.open(path)
    assert path.read_bytes() == b"something else entirely" * 100


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("sqlite://", UsageError),
        (":memory:", UsageError),
        ("postgresql://host/db", UsageError),
        ("://", UsageError),
        ("/nowhere/at/all/ipse.db", StoreFailure),
    ],
)
def test_a_place_that_cannot_be_opened_is_an_error(where, error):
    with pytest.raises(error):
        Store.open(where)


def test_a_url_and_a_path_are_the_same_store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'a.db'}") as store:
        store.add(batch(2))
    with Store.open(str(tmp_path / "a.db")) as store:
        assert store.count() == 2


def test_nobody_else_may_read_the_files(tmp_path):
    with Store.open(tmp_path / "a.db") as store:
        store.add(batch(2))
        for path in tmp_path.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1)],
)
def test_every_connection_is_durable_and_erases(store, pragma, value):
    for context in (store._database.reading, store._database.writing):
        with context() as connection:
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_a_note_need_not_survive_a_power_cut_and_the_next_write_does(store):
    with store._database.writing(synced=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    with store._database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_an_error_of_the_database_shows_no_text_of_anyone(store):
    with pytest.raises(StoreFailure) as caught, store._database.writing() as connection:
        connection.execute(schema.users.insert(), {"id": "Rumpelstiltskin", "records": 0})
    assert "NOT NULL" in str(caught.value)
    assert "Rumpelstiltskin" not in f"{caught.value} {caught.value.__cause__}"


def test_one_persons_latest_records_are_one_range_of_the_table(store):
    with store._database.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT * FROM records WHERE user = 'ada' AND time < 5 "
            "ORDER BY time DESC, id DESC LIMIT 100"
        ).all()
    assert [row[3] for row in plan] == ["SEARCH records USING PRIMARY KEY (user=? AND time<?)"]


def test_whose_a_row_is_is_asked_in_one_place():
    """Only `schema.owned` compares a table's owner with a person's id."""
    asked = [
        (path.name, line.strip())
        for path in ROOM.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\bc\.user\b.*==|where.*users\.c\.id ==", line)
    ]
    assert {name for name, _ in asked} == {"schema.py", "people.py"}
    assert sorted(line for name, line in asked if name != "schema.py") == [
        'moved = update(users).where(users.c.id == bindparam("who"))',
        "select(end(records.c.time)).where(records.c.user == users.c.id).scalar_subquery()",
    ]
