"""What a stream attaches to the model, by name: adapters, a prefix, steering vectors.

Arrays are made into tensors off the step loop. The least recently used go first; none in use does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor

from ipse.backends.local.lora import Lora, Weighted, read_lora
from ipse.backends.local.network import Network
from ipse.backends.local.pieces import assembled
from ipse.errors import BackendFailure, InvalidPlan, IpseError, Unknown, UsageError
from ipse.lm import Loader
from ipse.plan import Steering, Stream

__all__ = ["Attached", "Attachments", "shape_key"]

_Key: TypeAlias = tuple[str, str, str]  # what it is, its name, and that of what joins it, or ""


@dataclass(frozen=True, eq=False)
class Attached:
    """What a stream attaches, as tensors.

    Attributes:
        adapters: Low-rank weights, each with its factor; those of one name are added up.
        prefix: A soft prompt, (length, hidden).
        steering: Layer, first token as a slice counts it, and what to add, (hidden,).
        pinned: The entries that are in use by it.
    """

    adapters: Weighted = ()
    prefix: Tensor | None = None
    steering: tuple[tuple[int, int, Tensor], ...] = ()
    pinned: tuple[Hashable, ...] = ()

    @property
    def length(self) -> int:
        """How many places the prefix takes."""
        return 0 if self.prefix is None else len(self.prefix)

    def steered(self, prompt: int) -> list[tuple[int, int, Tensor]]:
        """Give layer, first place and vector of the steering of a prompt of so many tokens."""
        return [
            (layer, self.length + (start if start >= 0 else max(0, prompt + start)), vector)
            for layer, start, vector in self.steering
        ]


def shape_key(stream: Stream) -> Hashable:
    """Give everything but the tokens that shapes what a stream reads into."""
    return stream.prefix, tuple(_weights(stream).items()), stream.steering


def _weights(stream: Stream) -> dict[_Key, float]:
    """Give the weight of each adapter; what cancels out is not there."""
    total: dict[_Key, float] = {}
    for adapter in stream.adapters:
        key = ("adapter", adapter.name, adapter.own)
        total[key] = total.get(key, 0.0) + adapter.weight
    return {key: weight for key, weight in sorted(total.items()) if weight != 0}


@dataclass(eq=False)
class _Entry:
    value: Lora | Tensor
    nbytes: int
    born: int  # how often all was forgotten before: it goes with the next time, once unused
    pins: int = 0


class _Full(Exception):
    """Everything in memory is in use, and there is no room for more."""


class Attachments:
    """The tensors of names, in memory up to a bound."""

    def __init__(self, network: Network, loader: Loader, most: int) -> None:
        """Begin with nothing in memory.

        Args:
            network: What things are attached to.
            loader: Gives the arrays of a name.
            most: The most bytes to keep.
        """
        self._loader = loader
        self._network = network
        self._most = most
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._freed = Condition()
        self._releases = 0
        self._forgotten = 0  # how often

    @property
    def nbytes(self) -> int:
        """The bytes in memory."""
        with self._freed:
            return self._bytes()

    def acquire_at_once(self, stream: Stream) -> Attached | None:
        """Give what a stream attaches if all of it is in memory already; never waits."""
        names = [*_weights(stream)]
        names += [("prefix", stream.prefix, "")] if stream.prefix else []
        names += [("steering", each.name, "") for each in stream.steering]
        pinned: list[Hashable] = []
        with self._freed:  # nothing is let go of meanwhile
            if not all(name in self._entries for name in names):
                return None
            try:
                return self._take(stream, pinned)
            except BaseException:
                self._unpin(pinned)
                raise

    def acquire(self, stream: Stream, wanted: Callable[[], bool] = lambda: True) -> Attached:
        """Give what a stream attaches, and keep it in memory until it is released.

        Waits while everything in memory is in use and there is no room for more.

        Args:
            stream: The stream.
            wanted: Says whether it is still wanted; asked while waiting.

        Returns:
            The tensors.

        Raises:
            UsageError: If there is nothing of that name, or it does not fit the model.
            BackendFailure: If it cannot be loaded.
        """
        while True:
            pinned: list[Hashable] = []
            seen = self._releases
            try:
                return self._take(stream, pinned)
            except _Full:  # who waits holds nothing, or two could wait for each other
                self._unpin(pinned)
            except BaseException:
                self._unpin(pinned)
                raise
            self._wait(seen + 1, wanted)

    def acquire_if_room(self, stream: Stream) -> Attached | None:
        """Give what a stream attaches, or None while everything in memory is in use."""
        pinned: list[Hashable] = []
        try:
            return self._take(stream, pinned)
        except _Full:
            self._unpin(pinned)
            return None
        except BaseException:
            self._unpin(pinned)
            raise

    @contextmanager
    def attaching(self, stream: Stream) -> Iterator[Attached]:
        """Give what a stream attaches, and keep it in memory meanwhile."""
        attached = self.acquire(stream)
        try:
            yield attached
        finally:
            self.release(attached)

    def release(self, attached: Attached) -> None:
        """Say that what a stream attaches is no longer in use by it."""
        self._unpin(attached.pinned)

    def forget(self) -> None:
        """Let go of everything: at once of what is not in use, of the rest when it is released."""
        with self._freed:
            self._forgotten += 1
            for key in [key for key, entry in self._entries.items() if not entry.pins]:
                del self._entries[key]

    def _take(self, stream: Stream, pinned: list[Hashable]) -> Attached:
        adapters = [(self._pin(key, pinned), weight) for key, weight in _weights(stream).items()]
        prefix = self._pin(("prefix", stream.prefix, ""), pinned) if stream.prefix else None
        steering = [self._steering(each, pinned) for each in stream.steering]
        return Attached(tuple(adapters), prefix, tuple(steering), tuple(pinned))

    def _steering(self, one: Steering, pinned: list[Hashable]) -> tuple[int, int, Tensor]:
        layers = self._network.layers
        if not 0 <= one.layer < layers:
            raise InvalidPlan(f"a steering vector is for layer {one.layer}; there are {layers}")
        vector: Tensor = self._pin(("steering", one.name, ""), pinned)
        return one.layer, one.start, vector * one.scale

    def _pin(self, key: _Key, pinned: list[Hashable]) -> Any:
        with self._freed:
            if key in self._entries:
                return self._use(key, pinned)
        forgotten = self._forgotten
        value = self._load(*key)  # without the lock: the step loop must not wait for a disk
        with self._freed:
            total = sum(self._entries[each].nbytes for each in set(pinned)) + value.nbytes
            if total > self._most:
                raise InvalidPlan(
                    f"up to the {key[0]} {key[1]!r} a stream takes {total:,} bytes, but "
                    f"{self._most:,} are all there is for what plans attach"
                )
            if key not in self._entries and not self._evict(value.nbytes):
                raise _Full
            self._entries.setdefault(key, _Entry(value, value.nbytes, forgotten))
            return self._use(key, pinned)

    def _wait(self, releases: int, wanted: Callable[[], bool]) -> None:
        """Wait until there were more releases than so many."""
        with self._freed:
            while self._releases <= releases:
                self._freed.wait(0.1)
                if not wanted():
                    raise UsageError("the request was given up")

    def _use(self, key: _Key, pinned: list[Hashable]) -> Lora | Tensor:
        self._entries[key].pins += 1
        pinned.append(key)
        self._entries.move_to_end(key)
        return self._entries[key].value

    def _evict(self, wanted: int) -> bool:
        """Let go of what is not in use until there is room; say whether there is."""
        for key, entry in list(self._entries.items()):
            if self._bytes() + wanted <= self._most:
                return True
            if not entry.pins:
                del self._entries[key]
        return self._bytes() + wanted <= self._most

    def _unpin(self, keys: list[Hashable] | tuple[Hashable, ...]) -> None:
        with self._freed:
            for key in keys:
                entry = self._entries[key]
                entry.pins -= 1
                if not entry.pins and entry.born != self._forgotten:
                    del self._entries[key]
            self._releases += 1
            self._freed.notify_all()

    def _bytes(self) -> int:
        return sum(entry.nbytes for entry in self._entries.values())

    def _load(self, kind: str, name: str, own: str) -> Lora | Tensor:
        arrays = self.arrays(kind, name)
        if own:
            arrays = {**arrays, **self.arrays(kind, own)}
        if kind == "adapter":
            return read_lora(assembled(arrays, name), name, self._network)
        default = "prefix" if kind == "prefix" else "vector"
        part = name.partition("/")[2] or default
        if part not in arrays:
            known = ", ".join(sorted(arrays)) or "none"
            raise Unknown(f"there is no array {part!r} in {name!r}. Known: {known}")
        found = torch.tensor(arrays[part], dtype=self._network.dtype, device=self._network.device)
        wanted = (len(found), self._network.hidden) if kind == "prefix" else (self._network.hidden,)
        if tuple(found.shape) != wanted:
            shown = f"{tuple(found.shape)}; it has to be {wanted}"
            raise InvalidPlan(f"the {kind} {name!r} is made for another model: it is {shown}")
        return found

    def arrays(self, kind: str, name: str) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a name as they are kept; of an adapter's part, without its head.

        Args:
            kind: What it is to be: `adapter` and `start` are all of a part, other kinds one array.
            name: Its name.

        Returns:
            The arrays.

        Raises:
            Unknown: If there is nothing of that name.
            IpseError: If the loader has its own word for what is wrong.
            BackendFailure: If it cannot be loaded.
        """
        base, _, part = name.partition("/")
        try:
            arrays = self._loader(base)
        except (FileNotFoundError, KeyError) as error:
            raise Unknown(f"there is no {kind} {name!r} in the store") from error
        except IpseError:
            raise
        # A loader is whatever the caller handed in, and its failure is one request's alone.
        except Exception as error:
            raise BackendFailure(f"cannot load the {kind} {name!r}: {error}") from error
        if kind not in ("adapter", "start") or not part:
            return arrays
        head = f"{part}/"
        named = ((key, value) for key, value in arrays.items() if key.startswith(head))
        return {key.removeprefix(head): value for key, value in named}
