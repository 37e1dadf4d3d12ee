"""How much faster many people's adapters are learned together than one after another.

    python benchmarks/training.py [--quick] [--json]

The embedded model in float32; adapters of rank 8 on q, k, v and o; rows of 64 tokens, of which the
last 40 or so are the target. Contestants take turns in every round, and a figure is the median of
the ratios within rounds. P x R is P people with R rows an update.

    joint_over_loop_PxR     seconds for everybody, one after another, by PEFT with a plain loop that
                            is given our chunked loss, over ours, all together
    joint_over_trainer_8    the same for 8 people of one row by PEFT with `transformers.Trainer`
    peak_C_PxR              the most memory contestant C takes beside the model, in a process of its
                            own, in MB
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _bench import arguments, report, seconds
from _models import MODULES, QUESTION, ratio, rounds
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.utils import logging

from ipse.backends.local import LocalBackend
from ipse.backends.local.training.loss import weighted_nats
from ipse.backends.local.weights import EMBEDDED, model_folder
from ipse.job import Example, Job, Lora, Schedule
from ipse.plan import Plan

TOKENS = 64
RATE = 1e-3
TEXT = "It shows that a school which lets people choose what they wear keeps them free to be. " * 8


@dataclass(frozen=True)
class Texts:
    """A person's rows as tokens: (rows, 64) of input, and how many of them are the prompt."""

    ids: Tensor
    prompt: int


def main() -> None:
    options = arguments(__doc__)
    sizes = [(8, 1)] if options.quick else [(8, 1), (8, 2), (8, 4), (32, 1)]
    updates, repeats = (1, 1) if options.quick else (2, 5)
    figures: dict[str, float] = {}
    units: dict[str, str] = {}
    for people, rows in sizes:
        name = f"{people}x{rows}"
        calls = contestants(people, rows, updates)
        for call in calls.values():
            call()  # the first time allocates
        found = rounds({f"{who} {name}": call for who, call in calls.items()}, repeats)
        for who in ("loop", "trainer"):
            if f"{who} {name}" in found:
                figure = f"joint_over_{who}_{name if who == 'loop' else people}"
                figures[figure], units[figure] = ratio(
                    found[f"{who} {name}"], found[f"joint {name}"]
                )
        for who in calls:
            figure = f"peak_{who}_{name}"
            figures[figure], units[figure] = peak(who, people, rows), "MB"
    packages = ("ipse", "torch", "transformers", "peft")
    report("Learning many people's adapters together", figures, options, packages, units)


def contestants(people: int, rows: int, updates: int) -> dict[str, Callable[[], float]]:
    """Give what is compared: each call gives the seconds for everybody's updates."""
    calls = {
        "joint": joint(people, rows, updates),
        "loop": loop(people, rows, updates),
    }
    if (people, rows) == (8, 1):
        calls["trainer"] = by_trainer(people, rows, updates)
    return calls


def joint(people: int, rows: int, updates: int) -> Callable[[], float]:
    """Ours, all together; reading the examples' texts is part of it."""
    lm = LocalBackend()
    jobs = [job(lm, person, rows, updates) for person in range(people)]

    def call() -> float:
        lm._trainer.clear()
        return seconds(lambda: lm.train(jobs))

    return call


def job(lm: LocalBackend, person: int, rows: int, updates: int) -> Job:
    """Give a person's job, whose rows have as many tokens as those of the others."""
    plan = Plan.ask(QUESTION.format(person), system="Be brief.")
    left = TOKENS - len(lm._language_model().prompt(plan.main.messages))
    target = lm.cut(TEXT, left).text
    learn = Lora(rank=8, alpha=16, modules=MODULES)
    schedule = Schedule(rate=RATE, epochs=updates, batch=rows)
    return Job(learn, (Example(plan.main, target),) * rows, schedule=schedule, seed=person)


def texts(people: int, rows: int) -> list[Texts]:
    """Give the same rows as tokens."""
    lm = LocalBackend()
    model = lm._language_model()
    found = []
    for person in range(people):
        example = job(lm, person, rows, 1).examples[0]
        prompt = model.prompt(example.stream.messages)
        ids = [*prompt, *model.tokens(example.target), model.tokenizer.eos_token_id]
        found.append(Texts(torch.tensor([ids] * rows), len(prompt)))
    return found


def with_peft() -> Any:
    """Load the model with one fresh adapter in PEFT."""
    network = AutoModelForCausalLM.from_pretrained(model_folder(EMBEDDED), dtype=torch.float32)
    settings = LoraConfig(r=8, lora_alpha=16, target_modules=list(MODULES), bias="none")
    return get_peft_model(network, settings).train()


class Head:
    """The head of a model of `transformers`, as our loss wants it."""

    def __init__(self, weight: Tensor) -> None:
        """Take the weight, (vocab, hidden)."""
        self._weight = weight

    def logits(self, x: Tensor) -> Tensor:
        """Give logits, (tokens, vocab)."""
        return torch.nn.functional.linear(x, self._weight)

    def from_logits(self, slope: Tensor) -> Tensor:
        """Carry their gradient back, (tokens, hidden)."""
        return slope @ self._weight


def loop(people: int, rows: int, updates: int) -> Callable[[], float]:
    """PEFT and a plain loop, one person after another."""
    model, everybody = with_peft(), texts(people, rows)
    learned = [p for p in model.parameters() if p.requires_grad]
    head = Head(model.base_model.model.lm_head.weight)

    def one(person: Texts) -> None:
        optimizer = torch.optim.AdamW(learned, RATE, weight_decay=0.01)
        targets = person.ids[:, person.prompt :].reshape(-1)
        weights = torch.full(targets.shape, 1 / len(targets))
        for _ in range(updates):
            states = model.base_model.model.model(person.ids[:, :-1]).last_hidden_state
            chosen = states[:, person.prompt - 1 :].reshape(len(targets), -1)
            weighted_nats(head, chosen, targets, weights)[0].backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return lambda: seconds(lambda: [one(person) for person in everybody])


def by_trainer(people: int, rows: int, updates: int) -> Callable[[], float]:
    """PEFT and the standard trainer, one person after another."""
    logging.set_verbosity_error()
    model, everybody = with_peft(), texts(people, rows)

    def one(person: Texts, folder: str) -> None:
        labels = person.ids.clone()
        labels[:, : person.prompt] = -100
        data = [
            {"input_ids": ids, "labels": wanted}
            for ids, wanted in zip(person.ids, labels, strict=True)
        ]
        settings = TrainingArguments(
            folder,
            per_device_train_batch_size=rows,
            max_steps=updates,
            learning_rate=RATE,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        Trainer(model, settings, train_dataset=data).train()

    def call() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return seconds(lambda: [one(person, folder) for person in everybody])

    return call


def peak(who: str, people: int, rows: int) -> float:
    """Give the most memory a contestant takes beside the model, in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (who, people, rows))


def measured(who: str, people: int, rows: int) -> float:
    """Run a contestant once in this process, and give how far its memory rises, in MB."""
    call = {"joint": joint, "loop": loop, "trainer": by_trainer}[who](people, rows, 1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = status("VmRSS")
    call()
    return status("VmHWM") - before


def status(name: str) -> float:
    """Read a line of this process's status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
