from __future__ import annotations

import os
import tomllib

import pytest

from ipse.backends import BACKENDS
from ipse.backends.limits import Limits
from ipse.errors import InvalidFile, Unknown, UsageError
from ipse.settings import Settings, load, open_engine, open_lm, template


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("IPSE_") and name != "IPSE_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_flags_go_before_environment_before_file_before_defaults(folder, monkeypatch):
    assert load().store == "ipse.db"
    (folder / "ipse.toml").write_text('store = "file.db"\nmodel = "file"\nmax_tokens = 9\n')
    monkeypatch.setenv("IPSE_STORE", "environment.db")
    monkeypatch.setenv("IPSE_MODEL", "environment")
    settings = load(store="flag.db", model=None)
    assert settings.store == "flag.db"
    assert settings.model == "environment"
    assert settings.max_tokens == 9
    assert settings.temperature == 0.0


def test_an_empty_variable_says_nothing(monkeypatch):
    monkeypatch.setenv("IPSE_STORE", "")
    assert load().store == "ipse.db"


def test_the_file_is_named_by_flag_before_environment(folder, monkeypatch):
    for name in ("one", "two"):
        (folder / f"{name}.toml").write_text(f'store = "{name}.db"\n')
    monkeypatch.setenv("IPSE_CONFIG", "one.toml")
    assert load().store == "one.db"
    assert load("two.toml").store == "two.db"


@pytest.mark.parametrize(("text", "said"), [(None, "No such file"), ("store =", "Invalid value")])
def test_a_file_that_cannot_be_read_is_named(folder, text, said):
    if text:
        (folder / "mine.toml").write_text(text)
    with pytest.raises(InvalidFile, match=rf"settings in mine.toml: .*{said}"):
        load("mine.toml")


def test_an_unknown_key_is_named_with_those_there_are(folder):
    (folder / "ipse.toml").write_text('stroe = "x"\n')
    with pytest.raises(
        Unknown, match=r"in ipse.toml: 'stroe'. Did you mean 'store'. Known: alone, api_"
    ):
        load()


def test_a_wrong_value_is_named_with_where_it_is_from(folder, monkeypatch):
    (folder / "ipse.toml").write_text('max_tokens = "many"\ndtype = "int8"\n')
    with pytest.raises(UsageError, match=r"setting max_tokens .*got 'many' from ipse.toml"):
        load(dtype="auto")
    with pytest.raises(UsageError, match=r"setting dtype .*'bfloat16'.*got 'int8' from ipse.toml"):
        load(max_tokens=1)
    monkeypatch.setenv("IPSE_TEMPERATURE", "-1")
    with pytest.raises(
        UsageError, match=r"greater than or equal to 0; got '-1' from IPSE_TEMPERAT"
    ):
        load(max_tokens=1, dtype="auto")
    with pytest.raises(UsageError, match=r"backend should be one of .*got 'x' from --backend"):
        load(max_tokens=1, dtype="auto", temperature=0, backend="x")


def test_the_key_is_never_shown(folder, monkeypatch):
    monkeypatch.setenv("IPSE_API_KEY", "sk-secret")
    assert "sk-secret" not in repr(load()) + str(load()) + load().model_dump_json()
    monkeypatch.delenv("IPSE_API_KEY")
    (folder / "ipse.toml").write_text('api_key = ["sk-secret"]\n')
    with pytest.raises(UsageError, match=r"a hidden value from ipse.toml") as caught:
        load()
    assert "sk-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_settings_never_change():
    with pytest.raises(ValueError, match="frozen"):
        load().store = "other.db"


def test_the_template_explains_every_setting():
    text = template()
    assert tomllib.loads(text) == {}
    opened = "\n".join(line.removeprefix("# ") for line in text.splitlines() if " = " in line)
    assert tomllib.loads(opened).keys() == Settings.model_fields.keys()
    assert Settings(**tomllib.loads(opened)) == Settings()
    assert tomllib.loads(template(store='a"\\b.db', model=None)) == {"store": 'a"\\b.db'}


def test_every_backend_has_its_settings():
    values = {"base_url": "http://server/v1", "model": "m", "embedding_model": "e"}
    for name in BACKENDS:
        assert open_lm(load(backend=name, **values)).name == name


def test_the_timeout_reaches_the_server():
    settings = {"backend": "http", "base_url": "http://server/v1", "model": "m"}
    assert open_lm(load(**settings, timeout=7))._client.timeout == 7
    with pytest.raises(UsageError, match="setting timeout should be greater than 0"):
        load(timeout=0)


def test_limits_are_set_by_file_and_environment(folder, monkeypatch):
    assert open_lm(load()).limits == Limits()
    (folder / "ipse.toml").write_text('rows = 3\nmemory = "512MiB"\nkept = 0\nalone = 99\n')
    monkeypatch.setenv("IPSE_ROWS", "5")
    monkeypatch.setenv("IPSE_ATTACHED", "1GB")
    monkeypatch.setenv("IPSE_READING", "7")
    expected = Limits(rows=5, memory=512 << 20, attached=10**9, kept=0, reading=7, alone=99)
    assert open_lm(load()).limits == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rows", "0", "should be greater than or equal to 1; got '0'"),
        ("memory", "-1", "should be a number of bytes, such as 536870912 or 512MiB; got '-1'"),
        ("memory", "0", "should be greater than or equal to 1; got '0'"),
        ("attached", "much", "should be a number of bytes, such as .*; got 'much'"),
        ("kept", "3 apples", "should be a number of bytes, such as .*; got '3 apples'"),
        ("reading", "1.5", "should be a valid integer.*; got '1.5'"),
        ("alone", "0", "should be greater than or equal to 1; got '0'"),
    ],
)
def test_a_wrong_limit_is_named_with_what_it_should_be(monkeypatch, name, value, said):
    monkeypatch.setenv(f"IPSE_{name.upper()}", value)
    with pytest.raises(UsageError, match=f"the setting {name} {said} from IPSE_{name.upper()}"):
        load()


def test_limits_that_would_let_nobody_in_are_refused():
    assert Limits(kept=0, attached=0).kept == 0
    with pytest.raises(UsageError, match="the limit alone must be at least 1; got 0"):
        Limits(alone=0)
    with pytest.raises(UsageError, match="the limit kept must be at least 0; got -1"):
        Limits(kept=-1)


def test_a_server_needs_an_address_and_a_model():
    with pytest.raises(UsageError, match=r"'base_url'. Set it in ipse.toml or as IPSE_BASE_URL"):
        open_lm(load(backend="http"))
    with pytest.raises(UsageError, match="the setting 'model'"):
        open_lm(load(backend="http", base_url="http://server/v1"))


def test_the_engine_is_as_the_settings_say():
    settings = load(backend="echo", methods="recent:k=2", system="Be brief.", store="here.db")
    with open_engine(settings) as engine:
        engine.remember("ada", "I love tea")
        assert "I love tea" in engine.ask("ada", "hello").text
        assert engine.ask(None, "hello").text == "[system] Be brief.\n[user] hello"
    with pytest.raises(Unknown, match="unknown method"):
        open_engine(load(backend="local", methods="nope"))
