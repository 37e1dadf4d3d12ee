import csv as standard

import pytest

from ipse.errors import InvalidFile, Unknown, UsageError
from ipse.importers import Problem, read
from ipse.records import MAX_CHARACTERS


def imported(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read("csv", path, **options))


def test_columns_are_mapped_and_the_rest_goes_to_meta(tmp_path):
    text = 'text,when,likes\n"Dear Sir,\nhow ""are"" you?",2024-05-01T09:00:00Z,3\n'
    columns = {"text": "output", "when": "time"}
    (record,) = imported(tmp_path, text, columns=columns, user="ada")
    assert record.output == 'Dear Sir,\nhow "are" you?'
    assert record.time.isoformat() == "2024-05-01T09:00:00+00:00"
    assert (record.user, record.kind, record.source) == ("ada", "content", "csv")
    assert record.meta == {"likes": "3"}


def test_columns_with_a_fields_name_need_no_map(tmp_path):
    text = "user;kind;input;output;rejected;time;uses\nada;preference;Q;a;b;1714554000;prompt,share"
    (record,) = imported(tmp_path, text, delimiter=";")
    assert (record.user, record.input, record.rejected) == ("ada", "Q", "b")
    assert record.time.isoformat() == "2024-05-01T09:00:00+00:00"
    assert record.uses == {"prompt", "share"}


def test_a_mapped_column_wins_over_one_with_the_fields_name(tmp_path):
    text = "\ufefftext\toutput\nmine\ttheirs\n"
    (record,) = imported(
        tmp_path, text, columns={"text": "output"}, user="ada", delimiter=r"\t", kind="interaction"
    )
    assert (record.output, record.meta) == ("mine", {"output": "theirs"})
    assert record.kind == "interaction"


def test_without_a_time_column_the_order_is_time(tmp_path):
    first, second = imported(tmp_path, "output\na\na\n", user="ada")
    assert first.time < second.time


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"only one cell", "2 cells"),
        (b'"a"b,2024', "expected after"),
        (b"caf\xe9,2024", "not UTF-8"),
        (b"a\x00b,2024", "U+0000"),
        (b",2024", "'output'"),
        (b"a,", "a time is"),
        (b"a,soon", "a time is"),
        (b"a,0001-01-01T00:00:00+14:00", ""),
        (b"x" * (MAX_CHARACTERS + 1) + b",2024", "field larger than field limit"),
    ],
)
def test_a_malformed_row_is_a_problem_and_the_rest_is_read(tmp_path, row, reason):
    text = b"output,time\na,2024\n" + row + b"\nb,2025\n"
    first, problem, last = imported(tmp_path, text, user="ada")
    assert isinstance(problem, Problem)
    assert problem.line == 3
    assert reason in problem.reason
    assert (first.output, last.output) == ("a", "b")


def test_an_unclosed_quote_is_a_problem_at_the_line_where_it_opens(tmp_path):
    first, problem = imported(tmp_path, 'output\na\n"b\nc\n', user="ada")
    assert first.output == "a"
    assert (problem.line, problem.reason) == (3, "unexpected end of data")


def test_an_import_that_ends_leaves_the_limit_to_one_that_runs(tmp_path):
    """It is the whole process's number: two threads that set and reset it cut each other off."""
    before = standard.field_size_limit(131_072)
    (record,) = imported(tmp_path, "output\n" + "x" * 500_000, user="ada")
    assert len(record.output) == 500_000
    assert standard.field_size_limit(before) == MAX_CHARACTERS


def test_a_higher_limit_of_the_process_is_left_alone(tmp_path):
    before = standard.field_size_limit(2 * MAX_CHARACTERS)
    assert len(imported(tmp_path, "output\nx", user="ada")) == 1
    assert standard.field_size_limit(before) == 2 * MAX_CHARACTERS


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"columns": {"text": "outptu"}}, Unknown, "Did you mean 'output'"),
        ({"columns": {"txt": "output"}}, Unknown, "'txt'.*Known: more, text"),
        ({"columns": {"text": "output", "more": "output"}}, UsageError, "Map each field once"),
        ({}, UsageError, "Map one of: text, more"),
        ({"columns": {"text": "output"}, "delimiter": "||"}, UsageError, "one character"),
        ({"columns": {"text": "output"}, "kind": "poem"}, Unknown, "unknown kind 'poem'"),
    ],
)
def test_an_option_that_cannot_be_is_an_error(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        imported(tmp_path, "text,more\na,b\n", user="ada", **options)


def test_two_columns_of_one_name_are_an_error(tmp_path):
    with pytest.raises(InvalidFile, match="one name"):
        imported(tmp_path, "output,a,a\n1,2,3\n", user="ada")
