"""Killed at any moment, a server has all that it answered, once; `runs/durability.py` does more."""

from runs.durability import loop


def test_what_was_answered_is_there_once_however_often_the_server_is_killed(tmp_path):
    found = loop(tmp_path, kills=3, writers=3)
    assert found["answered"] > 3
    assert found["kills"] == 3
    assert found["jobs_begun_again"] > 0
