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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from _bench import arguments, report, seconds
from _models import MODULES, QUESTION, ratio, rounds
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging

from ipse.backends.local import LocalBackend
from ipse.backends.local.training.loss import weighted_nats
from ipse.backends.local.weights import EMBEDDED, model_folder
from ipse.job import Example, Job, Lora, Schedule
from ipse.plan import Plan

TOKENS = 64
WORDS = ("Now", "Please", "So", "Well")
RATE = 1e-3
TEXT = "It shows that a school which lets people choose what they wear keeps them free to be. " * 8


@dataclass(frozen=True)
class Texts:
    """A person's rows as tokens, and how often they are learned from."""

    ids: Tensor  # (rows, tokens)
    prompt: int  # how many of the tokens
    updates: int


def main() -> None:
    options = arguments(__doc__)
    sizes = [(8, 1)] if options.quick else [(8, 1), (8, 2), (8, 4), (32, 1)]
    updates, repeats = 1, 1 if options.quick else 3
    figures: dict[str, float] = {}
    units: dict[str, str] = {}
    lm = LocalBackend()
    for people, rows in sizes:
        size = f"{people}x{rows}"
        jobs = [job(lm, person, rows, updates) for person in range(people)]
        texts = [tokens(lm, each) for each in jobs]
        whos = ["joint", "loop", *(["trainer"] if size == "8x1" else [])]
        calls = {who: contestant(who, jobs, texts) for who in whos}
        for call in calls.values():
            call()  # the first time allocates
        found = rounds({f"{who} {size}": call for who, call in calls.items()}, repeats)
        for who in whos[1:]:
            name = f"joint_over_{who}_{size if who == 'loop' else people}"
            figures[name], units[name] = ratio(found[f"{who} {size}"], found[f"joint {size}"])
        for who in whos:
            name = f"peak_{who}_{size}"
            figures[name], units[name] = peak(who, jobs, texts), "MB"
    packages = ("ipse", "torch", "transformers", "peft")
    report("Learning many people's adapters together", figures, options, packages, units)


def job(lm: LocalBackend, person: int, rows: int, updates: int) -> Job:
    """Give a person's job, whose rows have as many tokens as those of the others."""
    learn = Lora(rank=8, alpha=16, modules=MODULES)
    schedule = Schedule(rate=RATE, epochs=updates, batch=rows)
    examples = tuple(example(lm, f"{WORDS[row]} {QUESTION.format(person)}") for row in range(rows))
    return Job(learn, examples, schedule=schedule, seed=person)


def example(lm: LocalBackend, question: str) -> Example:
    """Give a row; what it shares with others is the system message alone."""
    stream = Plan.ask(question, system="Be brief.").main
    left = TOKENS - len(lm._language_model().prompt(stream.messages))
    return Example(stream, lm.cut(TEXT, left).text)


def tokens(lm: LocalBackend, given: Job) -> Texts:
    """Give a job's rows as tokens."""
    model = lm._language_model()
    ids, prompts = [], set()
    for each in given.examples:
        prompt = model.prompt(each.stream.messages)
        ids.append([*prompt, *model.tokens(each.target), model.tokenizer.eos_token_id])
        prompts.add(len(prompt))
    (prompt,) = prompts  # so that a plain loop needs no padding, which would be slower
    return Texts(torch.tensor(ids), prompt, given.schedule.epochs)


def contestant(who: str, jobs: Sequence[Job], texts: Sequence[Texts]) -> Callable[[], float]:
    """Give a call that gives the seconds for everybody's updates."""
    if who == "joint":
        return joint(jobs)
    return {"loop": loop, "trainer": by_trainer}[who](texts)


def joint(jobs: Sequence[Job]) -> Callable[[], float]:
    """Ours, all together; reading the examples' texts is part of it."""
    lm = LocalBackend()
    lm._language_model()

    def call() -> float:
        lm._trainer.clear()
        return seconds(lambda: lm.train(jobs))

    return call


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


def loop(texts: Sequence[Texts]) -> Callable[[], float]:
    """PEFT and a plain loop, one person after another."""
    model = with_peft()
    learned = [p for p in model.parameters() if p.requires_grad]
    head = Head(model.base_model.model.lm_head.weight)

    def one(person: Texts) -> None:
        optimizer = torch.optim.AdamW(learned, RATE, weight_decay=0.01)
        targets = person.ids[:, person.prompt :].reshape(-1)
        weights = torch.full(targets.shape, 1 / len(targets))
        for _ in range(person.updates):
            states = model.base_model.model.model(person.ids[:, :-1]).last_hidden_state
            chosen = states[:, person.prompt - 1 :].reshape(len(targets), -1)
            weighted_nats(head, chosen, targets, weights)[0].backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return lambda: seconds(lambda: [one(person) for person in texts])


def by_trainer(texts: Sequence[Texts]) -> Callable[[], float]:
    """PEFT and the standard trainer, one person after another."""
    logging.set_verbosity_error()
    model = with_peft()

    def one(person: Texts, folder: str) -> None:
        labels = person.ids.clone()
        labels[:, : person.prompt] = -100
        data = [
            {"input_ids": ids, "labels": wanted}
            for ids, wanted in zip(person.ids, labels, strict=True)
        ]
        settings = TrainingArguments(
            folder,
            per_device_train_batch_size=len(person.ids),
            max_steps=person.updates,
            learning_rate=RATE,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        trainer = Trainer(model, settings, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    def call() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return seconds(lambda: [one(person, folder) for person in texts])

    return call


def peak(who: str, jobs: Sequence[Job], texts: Sequence[Texts]) -> float:
    """Give the most memory a contestant takes beside the model, in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (who, jobs, texts))


def measured(who: str, jobs: Sequence[Job], texts: Sequence[Texts]) -> float:
    """Run a contestant once in this process, and give how far its memory rises, in MB."""
    call = contestant(who, jobs, texts)
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
