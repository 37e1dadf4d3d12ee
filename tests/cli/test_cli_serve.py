"""The commands `keys` and `serve`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import httpx

KEY = re.compile(r"ipse-([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
CHAT = {"model": "ipse", "messages": [{"role": "user", "content": "Tea?"}]}


def test_a_key_is_shown_once_and_listed_by_what_is_no_secret(run):
    made = run("keys", "create", "--user", "ada")
    match = KEY.fullmatch(made.out.strip())
    assert match
    assert "shown this once" in made.err
    listed = run("keys", "list").out
    assert f"ipse-{match[1]}" in listed
    assert "ada" in listed
    assert match[0] not in listed
    assert run("keys", "list", "--user", "bob", "--json").json == {"keys": []}


def test_a_key_is_for_one_person_or_for_a_service(run):
    for flags in ((), ("--user", "ada", "--service")):
        refused = run("keys", "create", *flags)
        assert refused.status == 2
        assert "--user NAME or --service" in refused.err
    assert run("keys", "create", "--service", "--json").json["acting"] is True


def test_a_key_is_revoked_by_the_part_that_is_listed(run):
    name = run("keys", "create", "--service", "--json").json["id"]
    assert run("keys", "revoke", name, "--json").json["revoked"]
    again = run("keys", "revoke", name)
    assert again.status == 2
    assert "revoked at" in again.err
    assert run("keys", "revoke", "nothing").status == 2


def test_no_server_listens_to_other_machines_without_keys(run):
    refused = run("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.status == 2
    assert "ipse keys create --service" in refused.err


def test_a_server_says_where_it_is_and_ends_when_it_is_told_to(ada):
    command = [sys.executable, "-c", "from ipse.cli import main; main()"]
    flags = ["serve", "--port", "0", "--json"]
    with subprocess.Popen(
        [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = ""
            while not lines.endswith("}\n"):
                line = process.stdout.readline()
                assert line, process.stderr.read()
                lines += line
            told = json.loads(lines)
            assert told["open"] is True
            answer = httpx.post(
                f"{told['address']}/v1/chat/completions", json={**CHAT, "user": "ada"}, timeout=60
            )
            assert answer.status_code == 200
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "There are no keys" in said
    (line,) = [json.loads(text) for text in said.splitlines() if text.startswith("{")]
    assert (line["route"], line["status"]) == ("/v1/chat/completions", 200)
    assert "Tea" not in said
    assert process.returncode in (0, -signal.SIGTERM)


def test_a_key_says_what_changes_with_it(run):
    run("init")
    assert "no keys. Make one" in run("keys", "list").out
    first = run("keys", "create", "--user", "eve")
    assert "asks everybody for a key" in first.err
    assert "Nothing is known of 'eve' yet" in first.err
    second = run("keys", "create", "--service")
    assert "asks everybody" not in second.err
    assert "Nothing is known" not in second.err
