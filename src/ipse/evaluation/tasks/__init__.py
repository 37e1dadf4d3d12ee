"""Tasks: data sets made into questions, one file each.

locomo                        a task as it is
ukpconvarg-reason:items=10    with other settings
lamp-4                        a task of a family, by its name in the papers
"""

from __future__ import annotations

from pathlib import Path

from ipse.errors import unknown
from ipse.evaluation.task import Task
from ipse.evaluation.tasks.authors import Authors
from ipse.evaluation.tasks.lamp import Lamp
from ipse.evaluation.tasks.lamp_qa import LampQa
from ipse.evaluation.tasks.locomo import Locomo
from ipse.evaluation.tasks.longlamp import Longlamp
from ipse.evaluation.tasks.longmemeval import Longmemeval
from ipse.evaluation.tasks.perltqa import Perltqa
from ipse.evaluation.tasks.personalllm import Personalllm
from ipse.evaluation.tasks.personamem import Personamem
from ipse.evaluation.tasks.prefeval import Prefeval
from ipse.evaluation.tasks.prism import Prism
from ipse.evaluation.tasks.ukpconvarg_choice import UkpconvargChoice
from ipse.evaluation.tasks.ukpconvarg_reason import UkpconvargReason
from ipse.evaluation.tasks.ukpconvarg_style import UkpconvargStyle
from ipse.spec import read_settings, write_settings

__all__ = ["FAMILIES", "TASKS", "open_task", "task_spec"]

TASKS: dict[str, type[Task]] = {
    "authors": Authors,
    "lamp": Lamp,
    "lamp-qa": LampQa,
    "locomo": Locomo,
    "longlamp": Longlamp,
    "longmemeval": Longmemeval,
    "perltqa": Perltqa,
    "personalllm": Personalllm,
    "personamem": Personamem,
    "prefeval": Prefeval,
    "prism": Prism,
    "ukpconvarg-choice": UkpconvargChoice,
    "ukpconvarg-reason": UkpconvargReason,
    "ukpconvarg-style": UkpconvargStyle,
}

FAMILIES: dict[str, str] = {
    "lamp-1": "lamp:number=1",
    "lamp-2": "lamp:number=2",
    "lamp-2n": "lamp:number=2n",
    "lamp-3": "lamp:number=3",
    "lamp-4": "lamp",
    "lamp-5": "lamp:number=5",
    "lamp-6": "lamp:number=6",
    "lamp-7": "lamp:number=7",
}
"""Tasks of one file that differ in settings only, each under the name that papers give it."""


def open_task(text: str, root: Path | None = None) -> Task:
    """Read a task's name and settings.

    Args:
        text: A name in `TASKS` or `FAMILIES`, with settings after a colon.
        root: The data folder.

    Returns:
        The task; its files are not read yet.

    Raises:
        UsageError: If a task, setting or value is not known; the message names what is.
    """
    name, _, settings = text.strip().partition(":")
    if name in FAMILIES:
        family, _, own = FAMILIES[name].partition(":")
        return _open(family, ",".join(filter(None, (own, settings))), root)
    return _open(name, settings, root)


def task_spec(task: Task) -> str:
    """Write a task so that `open_task` reads it back: only settings that are not the default."""
    name, settings = _parted(write_settings(task.name, task, but=("root",)))
    for family, text in sorted(FAMILIES.items(), key=lambda item: -len(item[1])):
        of, own = _parted(text)
        if of == name and own.keys() <= settings.keys():
            rest = ",".join(setting for setting in settings if setting not in own)
            return f"{family}:{rest}" if rest else family
    return ":".join(filter(None, (name, ",".join(settings))))


def _parted(text: str) -> tuple[str, dict[str, None]]:
    """Take a name and its settings apart; these stay in order."""
    name, _, settings = text.partition(":")
    return name, dict.fromkeys(filter(None, settings.split(",")))


def _open(name: str, settings: str, root: Path | None) -> Task:
    if name not in TASKS:
        raise unknown("task", name, [*TASKS, *FAMILIES])
    return TASKS[name](**read_settings(TASKS[name], name, settings, but=("root",)), root=root)
