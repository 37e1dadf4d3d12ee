"""What holds of every importer: clear errors, gzip, damaged files, nothing raised for content."""

import gzip
import io
import json
import zipfile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ipse.errors import InvalidFile, IpseError, Unknown, UsageError
from ipse.importers import IMPORTERS, Problem, base, read
from ipse.records import Record

OPTIONS = {
    "chatgpt": {"user": "ada"},
    "csv": {"user": "ada", "columns": {"text": "output"}},
    "jsonl": {"user": "ada"},
    "lamp": {"task": "lamp-3"},
    "mbox": {"me": "ada@example.org"},
    "personalllm": {"people": 2},
    "preferences": {"user": "ada"},
    "prism": {},
    "ukpconvarg": {},
}

FOLDERS = {
    "prism": ("survey.jsonl", "conversations.jsonl", "utterances.jsonl"),
    "ukpconvarg": ("annotations.jsonl", "arguments.jsonl"),
}

LINE = b'{"user": "ada", "kind": "content", "output": "Hello."}\n'

SEEDS = {
    "chatgpt": b'[{"mapping":{"a":{"message":{"author":{"role":"user"},"create_time":1,"content":'
    b'{"content_type":"text","parts":["hi"]}}}},"current_node":"a"}]',
    "csv": b'text,time\n"a ""b""",2024\n',
    "jsonl": LINE,
    "lamp": b'[{"id":"1","input":"?","profile":[{"id":"2","text":"x","score":3,"date":"2024"}]}]',
    "mbox": b"From a Mon Jan 1 10:00:00 2024\nFrom: ada@example.org\nDate: Mon, 1 Jan 2024 10:00:00"
    b" +0000\nContent-Type: text/html; charset=utf-8\n\n<p>x</p><![if>\nOn 3 May X wrote:\n> y\n",
    "personalllm": json.dumps(
        {"prompt": "Tea?"}
        | {f"response_{n}": f"answer {n}" for n in range(1, 9)}
        | {f"response_{n}_model": n / 8 for n in range(1, 9)}
    ).encode(),
    "preferences": b'{"prompt":"Tea?","chosen":[{"role":"assistant","content":"Green."}],"rejected"'
    b':"Black.","time":1}\n{"prompt":"Tea?","response":"Green.","rating":4}\n',
    "prism": b'{"user_id":"u","self_description":"kind","conversation_id":"c","turn":0,"score":9,'
    b'"generated_datetime":"2023-11-02","conversation_type":"guided","utterance_id":"a",'
    b'"user_prompt":"Tea?","model_response":"Green.","if_chosen":true}\n'
    b'{"user_id":"u","conversation_id":"c","turn":0,"score":3,"generated_datetime":1700000000000,'
    b'"conversation_type":"guided","utterance_id":"b","user_prompt":"Tea?",'
    b'"model_response":"Black.","if_chosen":false}\n',
    "ukpconvarg": b'{"user_id":"u","pair_id":"p","topic":"t_s","arg1":"a","arg2":"b","choice":"a1",'
    b'"reason":"r","arg_id":"a","author":"w","stance":"s","text":"t"}\n',
}


def placed(tmp_path, name, content):
    """Put content where an importer will read it, and give the path."""
    if name not in FOLDERS:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path
    for part in FOLDERS[name]:
        (tmp_path / part).write_bytes(content)
    return tmp_path


def consume(name, path):
    try:
        return list(read(name, path, **OPTIONS[name]))
    except IpseError:
        return []


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(Unknown, match=r"unknown format 'jsnl'. Did you mean 'jsonl'\? Known: chat"):
        read("jsnl", "x")


@pytest.mark.parametrize("name", IMPORTERS)
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(InvalidFile, match="nowhere"):
        read(name, tmp_path / "nowhere", **OPTIONS[name])


@pytest.mark.parametrize("name", IMPORTERS)
def test_an_unknown_option_is_an_error_before_anything_is_read(name, tmp_path):
    with pytest.raises(Unknown, match="'colour'"):
        read(name, placed(tmp_path, name, b""), **OPTIONS[name], colour="red")


@pytest.mark.parametrize(
    ("name", "option"), [("mbox", "me"), ("chatgpt", "user"), ("lamp", "task")]
)
def test_a_missing_option_is_named_with_what_it_is(name, option, tmp_path):
    with pytest.raises(UsageError, match=f"needs the option '{option}': .+ Give {option}="):
        read(name, placed(tmp_path, name, b""))


@pytest.mark.parametrize("name", sorted(IMPORTERS.keys() - FOLDERS.keys()))
def test_a_folder_is_no_file(name, tmp_path):
    with pytest.raises(InvalidFile, match="cannot read"):
        list(read(name, tmp_path, **OPTIONS[name]))


@pytest.mark.parametrize("name", IMPORTERS)
def test_gzip_reads_as_plain_and_twice_as_once(name, tmp_path):
    plain = consume(name, placed(tmp_path, name, SEEDS[name]))
    packed = consume(name, placed(tmp_path, name, gzip.compress(SEEDS[name])))
    again = consume(name, placed(tmp_path, name, SEEDS[name]))
    assert plain
    assert plain == packed == again


def test_a_truncated_gzip_keeps_what_came_before(tmp_path):
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(LINE, mtime=0) + gzip.compress(LINE * 50, mtime=0)[:-30])
    records = list(read("jsonl", path))
    assert isinstance(records[0], Record)
    assert isinstance(records[-1], Problem)
    assert "cut off" in str(records[-1])


def test_a_line_without_an_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "MAX_LINE", 100)
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"x" * 1000 + b"\n" + LINE + b"y" * 101)
    first, second, third = read("jsonl", path)
    assert isinstance(second, Record)
    assert (first.line, third.line) == (1, 3)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-05-01T09:00:00+02:00", "2024-05-01T07:00:00+00:00"),
        ("2024-05-01 09:00", "2024-05-01T09:00:00+00:00"),
        ("20240501", "2024-05-01T00:00:00+00:00"),
        (2004, "2004-01-01T00:00:00+00:00"),
        ("1714554000.5", "2024-05-01T09:00:00.500000+00:00"),
    ],
)
def test_times_as_files_write_them(text, iso):
    assert base.moment(text) == base.moment(iso)


@pytest.mark.parametrize("text", ["", "yesterday", "1e400", "9" * 400, "0000", True, None])
def test_what_is_no_time_is_said(text):
    with pytest.raises(IpseError, match="a time is"):
        base.moment(text)


def mutated():
    """Bytes that are nearly right: a seed with a piece replaced."""
    piece = st.binary(max_size=12) | st.sampled_from([b"null", b"1e999", b'"\\ud800"', b"[[", b'"'])
    return st.tuples(st.floats(0, 1), st.integers(0, 12), piece)


@pytest.mark.parametrize("name", IMPORTERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edit=mutated(), noise=st.binary(max_size=60), alone=st.booleans())
@example(edit=(0.0, 0, b""), noise=b"\x1f\x8b\x08", alone=True)
@example(edit=(0.0, 0, b""), noise=b"PK\x03\x04junk", alone=True)
@example(edit=(0.0, 0, b""), noise=b"[" * 100_000, alone=True)
def test_no_importer_raises_anything_of_its_own_on_any_bytes(name, tmp_path, edit, noise, alone):
    place, length, piece = edit
    seed = SEEDS[name]
    start = int(place * len(seed))
    content = noise if alone else seed[:start] + piece + seed[start + length :] + noise
    for entry in consume(name, placed(tmp_path, name, content)):
        assert isinstance(entry, Record | Problem)


def test_a_zip_with_a_broken_member_is_an_invalid_file(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([{"title": "x" * 500}]))
    content = bytearray(buffer.getvalue())
    content[60:66] = b"\xff" * 6
    path = tmp_path / "export.zip"
    path.write_bytes(bytes(content))
    with pytest.raises(InvalidFile, match=r"export\.zip"):
        list(read("chatgpt", path, user="ada"))
