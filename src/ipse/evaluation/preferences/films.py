"""MovieLens as preferences: films that a person rated at least a star apart.

A person's films lie in the order of their ratings. Of the earlier ones, each is compared, as it is
rated, with one rated before; of the later ones, any with any. The data (Harper and Konstan, 2015)
may not be shipped: it is read by path.

    movies.csv.gz     movieId,title,genres
    ratings.csv.gz    userId,movieId,rating,timestamp
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ipse.errors import InvalidFile
from ipse.evaluation.preferences.crowd import Crowd, Judge, Pairs
from ipse.rewards.learning import Floats

__all__ = ["Film", "films", "titles"]

Rating: TypeAlias = tuple[int, int, float]
"""When, which film by its place, and how many stars."""

_EARLIER = 0.6
_APART = 1.0
"""Stars."""
_ASKED = 150
"""The most later pairs of a person; each counts little, and a person counts once."""
_TAUGHT = 200
_DOUBT = 5.0
"""How many average ratings count beside those of a film."""
_YEAR = re.compile(r"\((\d{4})\)")
_EMBEDDED = 4.0
"""What embeddings are multiplied by beside genres, which are 0 or 1."""


@dataclass(frozen=True)
class Film:
    """A film.

    Attributes:
        title: Its title, with the year in brackets.
        genres: Its genres.
    """

    title: str
    genres: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is embedded of it."""
        return f"{self.title}, {', '.join(self.genres)}"


def titles(folder: Path) -> dict[str, Film]:
    """Read the films of a folder by id."""
    return {
        row["movieId"]: Film(row["title"], tuple(row["genres"].split("|")))
        for row in _rows(folder / "movies.csv.gz")
    }


def films(folder: Path, embedded: Floats, *, rated: bool = True, seed: int = 0) -> Crowd:
    """Read everyone's ratings as pairs.

    Args:
        folder: Where both files are.
        embedded: The embeddings of the films' texts, (films, width), in the order of `titles`.
        rated: Whether a film is also described by how others rated it.
        seed: Of the pairs.

    Returns:
        The people; a film is described by genres, year and embedding.

    Raises:
        InvalidFile: If a file is missing.
    """
    known = titles(folder)
    places = {name: place for place, name in enumerate(known)}
    told: dict[str, list[Rating]] = {}
    for row in _rows(folder / "ratings.csv.gz"):
        one = (int(row["timestamp"]), places[row["movieId"]], float(row["rating"]))
        told.setdefault(row["userId"], []).append(one)
    judges = tuple(_judge(user, sorted(own), seed) for user, own in told.items())
    features = np.hstack([_described([*known.values()]), _EMBEDDED * embedded])
    learn = partial(_rated_by, told, len(known)) if rated else None
    return Crowd(features - features.mean(0), judges, learn)


def _rated_by(told: Mapping[str, Sequence[Rating]], count: int, people: Sequence[Judge]) -> Floats:
    """Say how well some people like films, and how many saw them, standardized, (films, 2)."""
    liked, seen = np.zeros(count), np.zeros(count)
    for judge in people:
        places = np.array([place for _, place, _ in told[judge.user]])
        stars = np.array([stars for *_, stars in told[judge.user]])
        liked[places] += stars - stars.mean()
        seen[places] += 1
    found = np.stack([liked / (seen + _DOUBT), np.log1p(seen)], axis=1)
    return np.asarray((found - found.mean(0)) / np.maximum(found.std(0), 1e-9))


def _judge(user: str, rated: Sequence[Rating], seed: int) -> Judge:
    chance = np.random.default_rng([seed, int(user)])
    # Ratings are often of one second: chance says in which order.
    order = sorted(range(len(rated)), key=lambda n: (rated[n][0], chance.random()))
    places = np.array([rated[n][1] for n in order])
    stars = np.array([rated[n][2] for n in order])
    cut = int(_EARLIER * len(rated))
    return Judge(
        user,
        _stream(places[:cut], stars[:cut], chance),
        _every(places[cut:], stars[cut:], chance, _ASKED),
        _every(places, stars, chance, _TAUGHT),
    )


def _stream(places: Pairs, stars: Floats, chance: np.random.Generator) -> Pairs:
    """Compare each film, as it is rated, with one that was rated before."""
    found = []
    for new in range(1, len(places)):
        before = np.flatnonzero(np.abs(stars[:new] - stars[new]) >= _APART)
        if len(before):
            old = int(before[chance.integers(len(before))])
            better, worse = (new, old) if stars[new] > stars[old] else (old, new)
            found.append((places[better], places[worse]))
    return np.array(found, np.int64).reshape(-1, 2)


def _every(places: Pairs, stars: Floats, chance: np.random.Generator, most: int) -> Pairs:
    """Give some of all pairs."""
    better, worse = np.nonzero(stars[:, None] - stars[None] >= _APART)
    some = chance.permutation(len(better))[:most]
    return np.stack([places[better[some]], places[worse[some]]], axis=1).astype(np.int64)


def _described(found: Sequence[Film]) -> Floats:
    """Describe films by genres, and by year: how late, how late squared, and the decade."""
    genres = sorted({genre for film in found for genre in film.genres})
    rows = []
    for film in found:
        year = _YEAR.search(film.title)
        late = (int(year[1]) - 1985) / 15 if year else 0.0
        decade = min(7, max(0, (int(year[1]) - 1940) // 10)) if year else -1
        rows.append(
            [
                *(float(genre in film.genres) for genre in genres),
                late,
                late**2,
                *(float(decade == number) for number in range(8)),
            ]
        )
    return np.array(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InvalidFile(f"no such file: {path}. It comes with MovieLens ml-latest-small, gzipped")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
