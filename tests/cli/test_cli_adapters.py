"""What was learned in the model, from the command line, on the random tiny model."""

from __future__ import annotations

import json
import shutil

import pytest

from ipse import Ipse
from ipse.adapters import read_adapter
from ipse.backends.local import LocalBackend
from ipse.cli import app
from ipse.plan import Adapter, Plan
from ipse.store import Store
from tests.people import reason

METHOD = "user-adapter:gate=false,refresh=2,rank=2,epochs=1,task=rank=2;epochs=1"
COMMANDS = ("list", "show", "rollback", "remove", "export")


@pytest.fixture(scope="module")
def learned(pico, tmp_path_factory):  # with pico, for torch to be as the tests want it
    """A folder with a store in which ada has an adapter and one before it, and bob has one."""
    folder = tmp_path_factory.mktemp("learned")
    with Ipse(folder / "ipse.db", LocalBackend(pico.model), methods=METHOD) as me:
        me.add(reason(name, n) for name in ("ada", "bob") for n in range(5))
        me.fit()
        me.refresh()
        me.add(reason("ada", 20 + n) for n in range(3))
        me.refresh()
    return folder


@pytest.fixture
def here(run, folder, learned, pico_path, monkeypatch):
    """The command line in a copy of that folder."""
    shutil.copytree(learned, folder, dirs_exist_ok=True)
    monkeypatch.setenv("IPSE_BACKEND", "local")
    monkeypatch.setenv("IPSE_MODEL", str(pico_path))
    monkeypatch.setenv("IPSE_METHODS", METHOD)
    return run


def listed(here, *args):
    return here("adapters", "list", *args, "--json").json["adapters"]


def of_ada(here):
    """The present one of ada's and the one before it."""
    found = {one["is"]: one for one in listed(here, "ada")}
    return found["current"], found["previous"]


def test_list_shows_everyones_and_each_persons_with_versions(here):
    found = [(one["user"], one["is"]) for one in listed(here)]
    assert sorted(found, key=lambda one: (one[0] or "", one[1])) == [
        (None, "current"),
        ("ada", "current"),
        ("ada", "previous"),
        ("bob", "current"),
    ]
    shown = here("adapters", "list").out
    for word in ("shared", "ada", "bob", "user-adapter", "previous", "records"):
        assert word in shown
    assert {one["user"] for one in listed(here, "bob")} == {"bob"}
    assert {one["user"] for one in listed(here, "shared")} == {None}
    assert here("adapters", "list", "nobody").status == 2


def test_only_what_acts_in_the_model_is_listed(here):
    here("enroll", "ada", "--method", "bm25")
    assert {one["method"] for one in listed(here)} == {"user-adapter"}


def test_show_one_or_all_of_a_person(here):
    present, before = of_ada(here)
    (one,) = here("adapters", "show", present["name"][:8], "--json").json["adapters"]
    assert one["id"] == present["id"]
    assert one["records"] == len(one["lineage"]) > before["records"]
    assert one["facts"]["gate"]["serves"] == "adapter"
    every = here("adapters", "show", "ada", "--json").json["adapters"]
    assert [one["is"] for one in every] == ["previous", "current"]
    shown = here("adapters", "show", present["name"][:8]).out
    assert "gate: own adapter serves: it is served untested" in shown
    assert "training" in shown


@pytest.mark.parametrize("name", ["zzzzzz", "a", ""])
def test_an_unknown_name_says_which_are_known(here, name):
    ran = here("adapters", "show", name)
    assert ran.status == 2
    assert of_ada(here)[0]["name"][:8] in ran.err


def test_rollback_and_back_again(here):
    present, before = of_ada(here)
    ran = here("adapters", "rollback", "ada", "user-adapter")
    assert f"user-adapter of ada is {before['name'][:8]} again" in ran.out
    assert of_ada(here)[0]["id"] == before["id"]
    plan = here("explain", "Why?", "-u", "ada", "--json").json
    assert before["name"] in json.dumps(plan["main"])
    again = here("adapters", "rollback", "ada", "user-adapter")
    assert (again.status, "before the present one" in again.err) == (2, True)
    ran = here("adapters", "rollback", "ada", "user-adapter", "--to", present["name"], "--json")
    assert ran.json["id"] == present["id"]
    assert of_ada(here)[0]["id"] == present["id"]


def test_only_a_version_is_rolled_back_to(here):
    present, _ = of_ada(here)
    ran = here("adapters", "rollback", "ada", "user-adapter", "--to", present["name"])
    assert (ran.status, "no version to go back to" in ran.err) == (2, True)
    assert here("adapters", "rollback", "bob", "user-adapter").status == 2
    assert here("adapters", "rollback", "shared", "user-adapter").status == 2


def test_remove_one_and_then_all_of_a_person(here):
    present, before = of_ada(here)
    assert here("adapters", "remove", present["name"]).status == 2  # nobody can be asked
    removed = here("adapters", "remove", present["name"], "--yes", "--json").json
    assert [one["id"] for one in removed["removed"]] == [present["id"]]
    assert [one["id"] for one in listed(here, "ada")] == [before["id"]]
    assert "Removed 1 state" in here("adapters", "remove", "ada", "--yes").out
    assert listed(here, "ada") == []
    assert len(here("records", "ada", "--json").json["records"]) == 8
    assert here("adapters", "remove", "bob", "--method", "steer", "--yes").status == 2


def test_removing_everyones_takes_what_was_made_from_it(here):
    here("adapters", "remove", "shared", "--yes")
    assert listed(here) == []


def test_forgetting_a_record_takes_the_versions_made_from_it(here):
    (record,) = here("records", "ada", "--limit", "1", "--json").json["records"]
    here("forget", "ada", record["id"], "--yes")
    assert [one["is"] for one in listed(here, "ada")] == ["previous"]
    ran = here("explain", "Why?", "-u", "ada")
    assert "user-adapter: nothing was learned yet. Run: ipse enroll ada --method" in ran.out
    assert here("adapters", "rollback", "ada", "user-adapter").status == 0
    assert "nothing was learned" not in here("explain", "Why?", "-u", "ada").out


def test_export_of_a_person_is_all_that_serves_them(here, folder, pico):
    ran = here("adapters", "export", "ada", "out", "--json").json
    found = read_adapter(folder / "out")
    assert found.manifest.name == ran["name"]
    assert found.manifest.user == "ada"
    assert found.manifest.settings["user-adapter"]["rank"] == 2
    assert {array.shape[0] for name, array in found.arrays.items() if name.endswith("A")} == {4}
    with Ipse(folder / "ipse.db", LocalBackend(pico.model), methods=METHOD) as me:
        asked = me.plan("ada", "Why?")
        assert len(asked.main.adapters) == 2  # everyone's and ada's
        name = me.lm.hold(found.arrays)
        merged = Plan.ask("Why?")
        stream = type(merged.main)(asked.main.messages, adapters=(Adapter(name),))
        one, other = me.lm.score([asked, Plan(stream)], ["Because it is so."] * 2)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert one.nats != pytest.approx(me.lm.score([merged], ["Because it is so."])[0].nats)


def test_export_of_a_name_is_that_one_and_may_name_nobody(here, folder):
    present, _ = of_ada(here)
    here("adapters", "export", present["name"][:10], "out", "--anonymous")
    found = read_adapter(folder / "out")
    assert found.manifest.artifacts == (present["name"],)
    assert found.manifest.user is None
    assert found.manifest.lineage == ()
    assert found.manifest.records == present["records"]
    again = here("adapters", "export", present["name"], "out")
    assert (again.status, "never overwritten" in again.err) == (2, True)


def test_who_is_served_by_no_adapter_cannot_be_exported(here, folder):
    ran = here("adapters", "export", "ada", "out", "--method", "recent")
    assert (ran.status, "ipse explain" in ran.err) == (2, True)
    assert not (folder / "out").exists()


def test_explain_says_what_the_gate_decided(here):
    method = "user-adapter:least=4,refresh=2,rank=2,epochs=1"
    here("enroll", "bob", "--method", method)
    (one,) = here("explain", "Why?", "-u", "bob", "--method", method, "--json").json["learned"]
    assert one["gate"]["serves"] in ("adapter", "none", "retrieval")
    ran = here("explain", "Why?", "-u", "bob", "--method", method).out
    assert f"serves: {one['gate']['why']}" in ran
    assert f"nats a token on {one['gate']['records']} held-out record" in ran


def test_explain_names_who_has_to_learn_first(here):
    ran = here("explain", "Why?", "-u", "ada", "--method", "plora+steer").out
    assert "plora: nothing was learned yet. Run: ipse enroll ada --fit --method plora" in ran
    assert "steer: nothing was learned yet. Run: ipse enroll ada --method steer" in ran


def test_enrolling_everybody_does_what_is_missing_and_says_how_far_it_is(here, folder):
    assert here("enroll", "--json").json["states"] == []
    with Store.open(folder / "ipse.db") as store:
        store.add(reason("eve", n) for n in range(4))
    ran = here("enroll")
    assert "user-adapter" in ran.err
    assert [one["user"] for one in listed(here, "eve")] == ["eve"]
    assert len(here("enroll", "--anew", "--json").json["states"]) == 3
    assert len(here("enroll", "eve", "--json").json["states"]) == 1


def test_the_group_shows_its_commands(run):
    ran = run("adapters")
    assert ran.status == 0
    assert all(name in ran.out for name in COMMANDS)
    (group,) = (
        each for each in app.registered_groups if each.typer_instance.info.name == "adapters"
    )
    found = {c.name or c.callback.__name__ for c in group.typer_instance.registered_commands}
    assert found == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_the_flags_that_all_commands_share(run, name):
    ran = run("adapters", name, "--help")
    assert ran.status == 0
    for flag in ("--store", "--backend", "--model", "--config", "--json"):
        assert flag in ran.out


def test_without_anything_learned_it_says_how_to(ada):
    assert "ipse enroll" in ada("adapters", "list").out
    assert "ipse enroll" in ada("adapters", "show", "ada").out
