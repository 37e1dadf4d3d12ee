"""The documentation is true: its code runs, its commands parse, its links resolve."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import redirect_stdout
from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
from runs.make_docs import ROOT, asks, generated, stale
from typer.main import get_command

from ipse import Ipse
from ipse.cli import app
from ipse.methods import METHODS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CARDS = {name: ROOT / "docs" / "methods" / f"{name}.md" for name in METHODS}
MODEL = "# needs the model\n"
SECTIONS = (
    "Idea", "When to use", "When not", "Needs", "Differences from the paper", "Example", "Results",
    "Privacy", "Status",
)  # fmt: skip
PRIVATE = re.compile(r"/work/|/root/|/tmp/|/home/|pypi\.org|pythonhosted|proxy\.golang|npmjs")
"""Paths of one machine and hosts of package registries: nobody else's business."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PRINTED = re.compile(r"^ *print\(.*\)  # (.*)$", re.MULTILINE)


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    return [code for kind, code in _BLOCK.findall(page.read_text()) if kind == language]


def prose(page):
    return _BLOCK.sub("", page.read_text())


def of_pages(pages):
    return pytest.mark.parametrize("page", pages, ids=[name_of(page) for page in pages])


PYTHON = [page for page in PAGES if blocks(page, "python")]
NEED_MODEL = [p for p in PYTHON if any(code.startswith(MODEL) for code in blocks(p, "python"))]


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A folder without settings, in an environment without settings."""
    for name in os.environ:
        if name.startswith("IPSE_") and name != "IPSE_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(page, codes):
    """Run blocks one after the other; where lines say what they print, they must print it."""
    space = {"__name__": "docs"}
    try:
        for code in codes:
            printed = StringIO()
            with redirect_stdout(printed):
                exec(compile(code, name_of(page), "exec", dont_inherit=True), space)
            expected = _PRINTED.findall(code)
            if expected and not code.startswith(MODEL):
                assert printed.getvalue().splitlines() == expected
    finally:
        for value in space.values():
            if isinstance(value, Ipse):
                value.close()


@of_pages(PYTHON)
def test_code_runs(page, fresh):
    run(page, [code for code in blocks(page, "python") if not code.startswith(MODEL)])


@pytest.mark.model
@of_pages(NEED_MODEL)
def test_code_runs_on_the_real_model(page, fresh, monkeypatch):
    monkeypatch.delenv("IPSE_CACHE")  # where the model is converted already
    run(page, blocks(page, "python"))


@of_pages(PAGES)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).exists(), target


@of_pages(PAGES)
def test_commands_exist(page):
    for line in "".join(blocks(page, "sh")).splitlines():
        match shlex.split(line, comments=True):
            case [] | ["export", *_] | [".", ".venv/bin/activate"]:
                continue
            case ["ipse", name, *arguments]:
                parse(name, arguments)
            case ["make", target]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            case ["python", script, *_]:
                assert (ROOT / script).is_file()
            case _:
                pytest.fail(f"what does this run? {line}")


@of_pages(PAGES)
def test_commands_named_in_passing_exist(page):
    commands = get_command(app).commands
    for line in re.findall(r"`ipse ([^`]+)`", prose(page)):
        name, *rest = line.split()
        if name.islower():
            command = commands[name]
            for part in rest:  # a group's command is its own first word
                command = getattr(command, "commands", {}).get(part, command)
            options = {o for each in command.params for o in (*each.opts, *each.secondary_opts)}
            assert {word for word in rest if word.startswith("--")} <= options, line


def parse(name, arguments, group=None):
    """Parse a command's arguments as the command line would, without running it."""
    commands = (group or get_command(app)).commands
    assert name in commands, f"there is no command {name!r}"
    if getattr(commands[name], "commands", None) and arguments:
        parse(arguments[0], arguments[1:], commands[name])
    else:
        commands[name].make_context(name, list(arguments))


@of_pages(PAGES)
def test_nothing_private_is_named(page):
    assert not PRIVATE.search(page.read_text())


def test_generated_parts_are_fresh():
    assert [name_of(path) for path in stale()] == [], "run: make docs"


def test_what_is_stale_is_found(tmp_path, monkeypatch):
    card = CARDS["bm25"]
    original = Path.read_text
    changed = original(card).replace("level: input", "level: model")
    monkeypatch.setattr(
        Path, "read_text", lambda self, *args: changed if self == card else original(self, *args)
    )
    assert stale() == [card]


def test_every_page_of_methods_is_generated():
    assert {*CARDS.values(), ROOT / "README.md"} <= generated().keys()


@pytest.mark.parametrize("name", METHODS)
def test_a_card_says_what_a_card_says(name):
    text = CARDS[name].read_text()
    assert [section for section in SECTIONS if f"**{section}.**" not in text] == []
    if METHODS[name].paper:
        assert f"https://arxiv.org/abs/{METHODS[name].paper}" in text


@pytest.mark.parametrize("name", METHODS)
def test_a_card_lists_every_parameter_with_its_default(name):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", CARDS[name].read_text(), re.MULTILINE))
    assert rows.keys() == {field.name for field in fields(METHODS[name])}
    for field in fields(METHODS[name]):
        if len(str(field.default)) < 20:  # a whole question is told in other words
            assert rows[field.name] == (str(field.default) or '""')


def test_what_methods_ask_for_is_found_out():
    assert asks(METHODS["recent"]) == set()
    assert asks(METHODS["hybrid"]) == {"embed"}
    assert asks(METHODS["lamp"]) == {"cut"}
    assert asks(METHODS["profile"]) == {"generate"}
    assert asks(METHODS["amulet"]) == {"fusion"}
