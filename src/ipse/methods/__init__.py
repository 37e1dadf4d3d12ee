"""The methods, by name, and how a composition is written.

bm25                        one method, as published
bm25:k=4,diversity=0.3      with other settings
profile+bm25:k=4            two, composed
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.metadata import entry_points

from ipse.errors import UsageError, unknown
from ipse.methods.amulet import Amulet
from ipse.methods.base import Level, Method
from ipse.methods.best_of_n import BestOfN
from ipse.methods.bm25 import Bm25
from ipse.methods.choose import Chooser, choose, write
from ipse.methods.cipher import Cipher
from ipse.methods.collaborative import Collaborative
from ipse.methods.compose import Learned, dial, in_order, personalize
from ipse.methods.context_steering import ContextSteering
from ipse.methods.costeer import Costeer
from ipse.methods.dense import Dense
from ipse.methods.drift import Drift
from ipse.methods.facets import Facets
from ipse.methods.fermi import Fermi
from ipse.methods.full import Full
from ipse.methods.group_preference import GroupPreference
from ipse.methods.hybrid import Hybrid
from ipse.methods.hypernetwork import Hypernetwork
from ipse.methods.ia3 import Ia3
from ipse.methods.lamp import Lamp
from ipse.methods.low_rank_reward import LowRankReward
from ipse.methods.memory import Memory
from ipse.methods.mod import Mod
from ipse.methods.modpo import Modpo
from ipse.methods.morlhf import Morlhf
from ipse.methods.pieces import Pieces
from ipse.methods.plora import Plora
from ipse.methods.profile import Profile
from ipse.methods.random import Random
from ipse.methods.recent import Recent
from ipse.methods.reward_guided import RewardGuided
from ipse.methods.rewarded_soup import RewardedSoup
from ipse.methods.rewards_in_context import RewardsInContext
from ipse.methods.shared_adapter import SharedAdapter
from ipse.methods.steer import Steer
from ipse.methods.steps import finish, finish_all
from ipse.methods.style_vector import StyleVector
from ipse.methods.user_adapter import UserAdapter
from ipse.methods.user_dpo import UserDpo
from ipse.methods.user_identifier import UserIdentifier
from ipse.methods.user_prefix import UserPrefix
from ipse.methods.variational_preference import VariationalPreference
from ipse.spec import read_settings, write_settings

__all__ = [
    "METHODS",
    "PRESETS",
    "Chooser",
    "Learned",
    "Level",
    "Method",
    "choose",
    "dial",
    "finish",
    "finish_all",
    "in_order",
    "known_methods",
    "parse",
    "personalize",
    "spec",
    "write",
]

METHODS: dict[str, type[Method]] = {
    "amulet": Amulet,
    "best-of-n": BestOfN,
    "bm25": Bm25,
    "cipher": Cipher,
    "collaborative": Collaborative,
    "context-steering": ContextSteering,
    "costeer": Costeer,
    "dense": Dense,
    "drift": Drift,
    "facets": Facets,
    "fermi": Fermi,
    "full": Full,
    "group-preference": GroupPreference,
    "hybrid": Hybrid,
    "hypernetwork": Hypernetwork,
    "ia3": Ia3,
    "lamp": Lamp,
    "low-rank-reward": LowRankReward,
    "memory": Memory,
    "mod": Mod,
    "modpo": Modpo,
    "morlhf": Morlhf,
    "pieces": Pieces,
    "plora": Plora,
    "profile": Profile,
    "random": Random,
    "recent": Recent,
    "reward-guided": RewardGuided,
    "rewarded-soup": RewardedSoup,
    "rewards-in-context": RewardsInContext,
    "shared-adapter": SharedAdapter,
    "steer": Steer,
    "style-vector": StyleVector,
    "user-adapter": UserAdapter,
    "user-dpo": UserDpo,
    "user-identifier": UserIdentifier,
    "user-prefix": UserPrefix,
    "variational-preference": VariationalPreference,
}

PRESETS: dict[str, str] = {
    "bm25-diverse": "bm25:diversity=0.3",
    "cipher-lexical": "cipher:words=lexical",
    "context-steering-own": "context-steering:learn=8",
    "hybrid-recent": "hybrid:half_life=50",
    "hybrid-rrf": "hybrid:fusion=ranks",
    "lightcosteer": "costeer:steps=1",
    "linear-alignment": "context-steering:influence=2.0",
    "oppu": "user-adapter:modules=q v,dropout=0.05,rate=0.0001,batch=16,clip=0.3,"
    "task=modules=q v;dropout=0.05;rate=0.0001;batch=16;clip=0.3",
    "uem": "user-prefix:form=each,history=10,records=11,instruction=20",
}
"""Papers and variants that differ in settings only, each a composition under a name of its own."""


@cache
def known_methods() -> dict[str, type[Method]]:
    """Give every method there is: ours, and those of installed packages (group `ipse.methods`)."""
    found = {entry.name: entry.load() for entry in entry_points(group="ipse.methods")}
    return {**found, **METHODS}


@lru_cache(maxsize=1024)  # every request names its methods, and there are few
def parse(text: str) -> tuple[Method, ...]:
    """Read a composition.

    Args:
        text: Methods or presets joined by `+`, each with its settings after a colon; "" and
            `generic` are no method at all.

    Returns:
        The methods, in the order they are applied.

    Raises:
        UsageError: If a method, setting or value is not known; the message names what is.
    """
    if text.strip() in ("", "generic"):
        return ()
    found: list[Method] = []
    for part in text.split("+"):
        name, _, settings = part.strip().partition(":")
        if name in PRESETS:
            if settings:
                raise UsageError(f"{name!r} has its settings: {PRESETS[name]}. Write that, changed")
            found.extend(parse(PRESETS[name]))
        else:
            found.append(_one(name, settings))
    return in_order(found)


def spec(methods: Iterable[Method]) -> str:
    """Write a composition so that `parse` reads it back: only settings that are not the default."""
    return "+".join(write_settings(method.name, method) for method in methods) or "generic"


def _one(name: str, settings: str) -> Method:
    methods = known_methods()
    if name not in methods:
        raise unknown("method", name, [*methods, *PRESETS])
    return methods[name](**read_settings(methods[name], name, settings))
