"""The page of rewards that are learned from pairs: what own answers add, and what asking does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runs.results_pages import Found, drawn, estimated, part_where

from ipse.evaluation.curves import lines

__all__ = ["preference_page", "preference_plots", "preference_results"]

Value = Mapping[str, float]

LOW_RANK = "low-rank-reward"
GLOBAL = "global"
BAR = 0.03
"""What own answers are to add to everyone's reward once there are `MANY`."""
MANY, FROM = 100, 20

_CURVES = {
    "films": "Films: MovieLens",
    "titles": "Films by title and genres alone",
    "choices": "Arguments: which of two convinces",
    "reasons": "Reasons: one's own words before another's",
}


def preference_page(found: Found) -> str:
    """Write the page; parts that were not measured yet are left out."""
    page = ["# Rewards learned from pairs", "", _LEAD]
    for part, title in _CURVES.items():
        if part in found:
            page += ["", f"## {title}", "", part_where(found, part), "", *_curve(found, part)]
    if "asking" in found:
        page += ["", *_asking(found)]
    if "simulated" in found:
        page += ["", *_simulated(found)]
    return "\n".join([*page, ""])


def preference_plots(found: Found) -> Iterator[tuple[str, str]]:
    """Draw each part by number of answers; its name, and the plot."""
    for part in _CURVES:
        if part in found:
            gains = {
                name: [
                    (float(count), one["over_everyone"]["mean"], *_ends(one["over_everyone"]))
                    for count, one in each.items()
                ]
                for name, each in found[part]["methods"].items()
                if name != GLOBAL
            }
            yield part, lines(gains, "own answers", "accuracy over everyone's reward")
    if "simulated" in found:
        after = {
            name: [(float(n), value["mean"], *_ends(value)) for n, value in each["after"].items()]
            for name, each in found["simulated"]["methods"].items()
        }
        yield "simulated", lines(after, "questions", "regret, standard deviations")


def preference_results(found: Found, name: str) -> str:
    """Give a method's rows of the page with the most answers, for its card."""
    measured = {part: found.get(part, {}).get("methods", {}).get(name) for part in _CURVES}
    rows = [
        [
            part,
            count,
            estimated(each["accuracy"]),
            _interval(each["over_everyone"]),
            _interval(each["over_other"]),
        ]
        for part, counts in measured.items()
        if counts
        for count, each in [max(counts.items(), key=lambda both: int(both[0]))]
    ]
    return "\n".join(
        [
            *drawn(("on", "own answers", *_TITLES), rows),
            "",
            f"`{found['command']}`. [What the columns mean](../results/preferences.md).",
        ]
    )


_TITLES = ("accuracy", "over everyone's reward", "over another's answers")


def _curve(found: Found, part: str) -> list[str]:
    methods = found[part]["methods"]
    rows = [
        [
            f"`{name}`" if "-" in name else name,
            count,
            f"{one['accuracy']['people']:.0f}",
            estimated(one["accuracy"]),
            "" if name == GLOBAL else _interval(one["over_everyone"]),
            "" if name == GLOBAL else _interval(one["over_other"]),
        ]
        for name, each in methods.items()
        for count, one in each.items()
    ]
    verdict = _bar(methods[LOW_RANK]) if part in ("films", "titles") else _personal(methods)
    return [
        _ABOUT[part],
        verdict,
        "",
        f"![What own answers add](preferences-{part}.svg)",
        "",
        *drawn(("method", "own answers", "people", *_TITLES), rows),
        *(["", _ties(found[part]["ties"])] if "ties" in found[part] else []),
    ]


def _bar(scores: Mapping[str, Any]) -> str:
    """Say whether what was asked for beforehand was reached."""
    later = [one for count, one in scores.items() if int(count) >= FROM]
    clear = all(one[over]["low"] > 0 for one in later for over in ("over_everyone", "over_other"))
    last = scores[str(MANY)]["over_everyone"]
    enough = last["mean"] >= BAR
    return (
        f"Asked for beforehand: from {FROM} answers on better than everyone's reward and than "
        f"another person's answers, with intervals that exclude zero: **{_reached(clear)}**. By "
        f"at least {BAR} over everyone's at {MANY}: **{_reached(enough)}**, it is "
        f"{_interval(last)}."
    )


def _reached(yes: bool) -> str:
    return "reached" if yes else "not reached"


def _personal(methods: Mapping[str, Any]) -> str:
    clear = [
        name
        for name, each in methods.items()
        if name != GLOBAL
        for one in [[*each.values()][-1]]
        if one["over_everyone"]["low"] > 0 and one["over_other"]["low"] > 0
    ]
    if not clear:
        return (
            "Verdict: with the most answers, none is clearly better than both everyone's reward "
            "and another person's answers. Nothing personal was found here."
        )
    return (
        "Verdict: with the most answers, better than both everyone's reward and another "
        f"person's answers, with intervals that exclude zero: {', '.join(clear)}."
    )


def _ties(found: Mapping[str, Any]) -> str:
    gain = found["gain"]
    return (
        f"Ties are a question of their own: {estimated(found['rate'])} of verdicts are ties, and "
        f"people differ in it by {found['spread']:.3f} (a standard deviation, beyond chance). A "
        f"person's earlier rate tells their later ties by {_interval(gain)} nats a verdict better "
        f"than everyone's does."
    )


def _asking(found: Found) -> list[str]:
    one = found["asking"]
    ways = ("random", "uncertainty")
    counts = [*one["random"]]
    rows = [
        [n, *(estimated(one[way][n]) for way in ways), _interval(one["difference"][n])]
        for n in counts
    ]
    last = one["difference"][counts[-1]]
    if last["low"] > 0:
        verdict = "Asking about what is least sure helps."
    elif last["high"] < 0:
        verdict = "Asking about what is least sure does harm here: such pairs are unlike the rest."
    else:
        verdict = "Asking about what is least sure does not help clearly here."
    return [
        "## What to ask about: films",
        "",
        part_where(found, "asking"),
        "",
        f"{last['people']:.0f} people; any of their earlier answers may be asked for. {verdict}",
        "",
        *drawn(("questions", "at random", "by uncertainty", "difference"), rows),
    ]


def _simulated(found: Found) -> list[str]:
    one = found["simulated"]
    counts = [*next(iter(one["methods"].values()))["after"]]
    rows = [
        [name, *(estimated(each["after"][n]) for n in counts)]
        for name, each in one["methods"].items()
    ]
    settled = [
        f"{name}: {estimated(each['settled'])} questions"
        for name, each in one["methods"].items()
        if each["settled"]
    ]
    return [
        "## Made-up people: regret by questions",
        "",
        part_where(found, "simulated"),
        "",
        _REGRET.format(people=one["people"], attributes=one["attributes"]),
        "",
        _least(one["methods"]),
        "",
        "![Regret by questions](preferences-simulated.svg)",
        "",
        *drawn(("method", *(f"after {n}" for n in counts)), rows),
        "",
        f"Until no draw regrets more than half a logit: {'; '.join(settled)}.",
    ]


def _least(methods: Mapping[str, Any], n: str = "5") -> str:
    """Say where least is lost after a few questions, and if that is clear of asking at random."""
    after = {name: each["after"][n] for name, each in methods.items()}
    best = min(after, key=lambda name: after[name]["mean"])
    random = f"{LOW_RANK}, at random"
    clear = after[best]["high"] < after[random]["low"]
    return (
        f"Verdict: after {n} questions least is lost by {best}, {estimated(after[best])}; asked at "
        f"random, {LOW_RANK} loses {estimated(after[random])}. The intervals "
        f"{'do not overlap' if clear else 'overlap'}."
    )


def _ends(value: Value) -> tuple[float, float]:
    return value["low"], value["high"]


def _interval(value: Value) -> str:
    return f"{value['mean']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]"


_LEAD = """\
How well are a person's later answers told from their earlier ones? `python runs/preferences.py
--data DATA` measures it. People are cut into five parts, and each is measured in turn: settings are
chosen on the next, what is everyone's is learned of the other three, and the person's own earlier
answers are all that is known of them. A person counts once.

- *own answers*: the latest so many of the earlier ones. Who has fewer is left out of that row.
- *global*: one linear reward, fitted to everyone's pairs. *own logistic*: each person's own,
  shrunken to that.
- *over another's answers*: the same learner, given another person's answers in place of the own.
- *± *: the standard error over people. In brackets: 95% intervals of the difference, person by
  person."""

_ABOUT: Mapping[str, str] = {
    "films": """\
Pairs of films that a person rated at least a star apart. Of the first 60% of their films each is
compared, as it is rated, with one rated before; the later ones are compared with each other. A film
is described by genres, year, the embedding of its title, and two numbers that say how others rated
it: how well they like it, and how many of them saw it. Those others are people of other parts, what
they say is learned for each part anew, and every method is given it. The bar was set for titles and
genres alone, which is the next section. That these two numbers are used, and no factors of a matrix
of ratings, was decided by looking at one of the five parts, which is among those measured: this
flatters a little. The data (Harper and Konstan,
2015) may not be shipped; nothing of it is kept here but these numbers.
""",
    "titles": """\
The same pairs, without what others' ratings say of a film: what the bar was set for. Only some of
the methods were measured.
""",
    "choices": """\
Of two arguments of one side, the one that convinces (UKPConvArg1, Habernal and Gurevych, 2016, CC
BY 4.0), described by attributes and embedding.
""",
    "reasons": """\
A person's own reason before another person's for the same verdict on the same pair: what it is
about is held equal. Described by attributes and embedding.
""",
}

_REGRET = """\
**Nobody here is a person.** {people} weightings, drawn as in PersonalLLM (2409.20296), of more or
less of {attributes} attributes of real arguments; learners are fitted on 60 others. Each is asked
about 12 arguments, and then given the one that the learner holds for the best: regret is how much
worse than the best it is, in standard deviations of the person's own reward over the 12."""
