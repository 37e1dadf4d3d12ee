from email.message import EmailMessage

import pytest

from ipse.errors import InvalidFile, UsageError
from ipse.importers import Problem, read
from ipse.importers.mailtext import from_html, own_words

SEPARATOR = b"From me@example.org Mon May  6 09:00:00 2024\n"
HEAD = b"From: Ada <Ada@Example.org>\nSubject: Lunch?\nDate: Mon, 6 May 2024 09:00:00 +0200\n"


def mail(text="Dear Bob,\nat one?", **headers):
    said = EmailMessage()
    defaults = {"From": "Ada <Ada@Example.org>", "Date": "Mon, 6 May 2024 09:00:00 +0200"}
    for name, value in (defaults | {k.replace("_", "-"): v for k, v in headers.items()}).items():
        if value is not None:
            said[name] = value
    said.set_content(text)
    return said


def imported(tmp_path, *mails, **options):
    path = tmp_path / "mails.mbox"
    raw = [one if isinstance(one, bytes) else one.as_bytes() for one in mails]
    path.write_bytes(b"".join(SEPARATOR + one + b"\n\n" for one in raw))
    return list(read("mbox", path, **({"me": "ada@example.org"} | options)))


def test_only_what_the_person_wrote_is_a_record(tmp_path):
    mine = mail(Subject="Zu Tisch, Gräfin?", Message_ID="<1@x>", In_Reply_To="<0@x>")
    (record,) = imported(tmp_path, mail(From="bob@example.org", Date="never"), mine)
    assert (record.user, record.kind) == ("ada@example.org", "content")
    assert (record.input, record.output) == ("Zu Tisch, Gräfin?", "Dear Bob,\nat one?")
    assert record.time.isoformat() == "2024-05-06T07:00:00+00:00"
    assert record.meta == {"message_id": "<1@x>", "in_reply_to": "<0@x>"}


@pytest.mark.parametrize("me", ["a@b.org, ada@example.org", ["ada@example.org", "a@b.org"]])
def test_several_addresses_and_a_name(tmp_path, me):
    first, second = imported(tmp_path, mail(), mail(From="A@B.org"), me=me, user="ada")
    assert (first.user, second.user) == ("ada", "ada")


@pytest.mark.parametrize("me", ["", "ada", ["a@b.org", "ada"]])
def test_an_address_that_is_none_is_an_error(tmp_path, me):
    with pytest.raises(UsageError, match=r"such as me@example\.org"):
        imported(tmp_path, me=me)


def test_from_lines_in_a_body_are_kept_and_unescaped(tmp_path):
    body = b"Hi.\n\nFrom here on I agree.\n\n>From the start, in fact.\n"
    first, second = imported(tmp_path, HEAD + b"\n" + body, mail())
    assert first.output == "Hi.\n\nFrom here on I agree.\n\nFrom the start, in fact."
    assert second.output.startswith("Dear Bob")


def test_html_only_attachments_and_encodings(tmp_path):
    html = mail()
    html.set_content(
        "<style>p {}</style><p>Grüße &amp; K&uuml;sse</p><blockquote>old</blockquote><p>Bye</p>",
        subtype="html",
        charset="iso-8859-1",
        cte="quoted-printable",
    )
    both = mail("Plain.\n", Subject="=?koi8-r?B?8NLJ18XU?=")
    both.add_alternative("<p>Rich.</p>", subtype="html")
    both.add_attachment("not mine", filename="a.txt")
    both.add_attachment(mail("forwarded as attachment"))
    first, second = imported(tmp_path, html, both)
    assert first.output == "Grüße & Küsse\n\nBye"
    assert (second.input, second.output) == ("Привет", "Plain.")


def test_a_mail_that_only_forwards_is_neither_record_nor_problem(tmp_path):
    assert imported(tmp_path, mail("---------- Forwarded message ---------\nFrom: x\n\nold")) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (mail(Date=None), "no Date"),
        (HEAD.replace(b"Mon, 6 May 2024", b"never") + b"\nHi", "date"),
        (HEAD + b"Content-Type: text/plain; charset=utf-8\n\ncaf\xe9", "can't decode"),
        (HEAD + b"Content-Type: text/plain; charset=x-none\n\nHi", "x-none"),
        (HEAD + b"\na\x00b", "U+0000"),
        (HEAD + b"Content-Type: text/html\n\n<![foo[ bar ]]> <p>x", ""),
    ],
)
def test_a_malformed_mail_of_mine_is_a_problem_and_the_rest_is_read(tmp_path, raw, reason):
    first, problem, last = imported(tmp_path, mail(), raw, mail())
    assert isinstance(problem, Problem)
    assert problem.line == 12
    assert reason in problem.reason
    assert first == last


def test_a_subject_in_an_unknown_charset_is_kept_as_it_stands(tmp_path):
    raw = HEAD.replace(b"Lunch?", b"=?x-none?q?Lunch?=") + b"\nHi"
    (record,) = imported(tmp_path, raw)
    assert record.input == "=?x-none?q?Lunch?="


def test_what_is_no_mbox_is_an_error(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("\n\nDear Bob,\n")
    with pytest.raises(InvalidFile, match="not an mbox file"):
        list(read("mbox", path, me="a@b.org"))
    path.write_text("")
    assert list(read("mbox", path, me="a@b.org")) == []


QUOTE = "> old words\n> more\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"Yes.\n\nOn Mon, May 6, 2024 at 9:00 AM Bob <b@x.org> wrote:\n\n{QUOTE}", "Yes."),
        (f"Yes.\n\nOn Mon, May 6, 2024 at 9:00 AM Bob\n<b@x.org> wrote:\n{QUOTE}", "Yes."),
        (f"Yes.\n\nAm 06.05.2024 um 09:00 schrieb Bob <b@x.org>:\n{QUOTE}", "Yes."),
        (f"Yes.\n\nLe lun. 6 mai 2024 à 09:00, Bob\n<b@x.org> a écrit\xa0:\n{QUOTE}", "Yes."),
        (f"Yes.\n\nBob Example wrote:\n\n{QUOTE}", "Yes."),
        ("Yes.\n\nOn 6 May 2024, Bob wrote:\n\nold words, not marked\n", "Yes."),
        (f"On 6 May 2024, Bob wrote:\n{QUOTE}\nTrue.\n\n> and?\n\nNo.", "True.\n\nNo."),
        ("Yes.\r\n\r\n-----Original Message-----\r\nFrom: Bob\r\n\r\nold", "Yes."),
        (
            "Yes.\n\n________________________________\nFrom: Bob\nSent: Monday\nTo: Me\n\nold",
            "Yes.",
        ),
        ("Ja.\n\nVon: Bob\nGesendet: Montag\nAn: mich\nBetreff: Tisch\n\nalt", "Ja."),
        ("Yes.\n\nBegin forwarded message:\n\n> From: Bob\n", "Yes."),
        ("Yes.\n-- \nAda Lovelace\nCountess", "Yes."),
        ("Yes.\n\nSent from my iPhone\n", "Yes."),
        (f"On 3 May we met.\nOn 6 May 2024, Bob wrote:\n{QUOTE}", "On 3 May we met."),
        ("On reflection she wrote:\nDear all", "On reflection she wrote:\nDear all"),
        ("From: my heart,\nbest wishes -- always", "From: my heart,\nbest wishes -- always"),
        (QUOTE, ""),
    ],
)
def test_own_words(body, words):
    assert own_words(body) == words


def test_html_keeps_a_quote_as_one_marked_line():
    html = (
        "<div>Yes.</div>On 6 May Bob wrote:<blockquote>a<blockquote>b</blockquote>c</blockquote>No."
    )
    assert own_words(from_html(html)) == "Yes.\nNo."


def test_long_hostile_lines_take_no_time():
    own_words("\n".join(["<" * 5000 + "@" * 5000, "On 1" + " wrote" * 5000, "-" * 10_000] * 5))
