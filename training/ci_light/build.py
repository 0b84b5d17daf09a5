"""All steps in order: corpus, tokenizer, training, accuracy, and the folder that holds the result.

No clock, host name or path is written, so that the same versions give the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

from training.ci_light.accuracy import report
from training.ci_light.card import card
from training.ci_light.corpus import Fact, facts, invented_words
from training.ci_light.rendering import FORMS, rendered
from training.ci_light.tokenizer import END_ID, PAD_ID, START_ID, save, trained
from training.ci_light.train import Recipe, train

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors")


def build(folder: Path, say: Callable[[str], None], *, steps: int | None = None) -> None:
    """Make the model and write it to `folder`. `steps` replaces the recipe's number."""
    recipe = Recipe() if steps is None else Recipe(steps=steps)
    everything = facts()
    known = [fact for fact in everything if not fact.held_out]
    tokenizer = tokenizer_of(known)
    say(f"{len(known)} facts to learn, vocabulary {tokenizer.get_vocab_size()}")
    model, loss = train(tokenizer, known, recipe, say)
    accuracy = report(model, tokenizer, everything)
    made = {
        "builder": "ci-light",
        "recipe": dataclasses.asdict(recipe),
        "versions": {name: version(name) for name in LIBRARIES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "final_loss": round(loss, 6),
        "accuracy": accuracy,
    }
    write(folder, model, tokenizer, made)
    say(f"{made['parameters']:,} parameters, final loss {loss:.4f}, written to {folder}")


def tokenizer_of(known: list[Fact]) -> Tokenizer:
    """The tokenizer of what is trained on, in every form, and of the invented words."""
    samples = [rendered(fact, form) for fact in known for form in FORMS]
    words = [f" {word}" for word in invented_words()]
    return trained([s.prompt + s.completion for s in samples] + words)


def write(folder: Path, model: Any, tokenizer: Tokenizer, made: Mapping[str, Any]) -> None:
    """The Hugging Face folder, with build.json and a model card beside the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config.update(
        bos_token_id=START_ID, eos_token_id=END_ID, pad_token_id=PAD_ID, do_sample=False
    )
    model.save_pretrained(folder)
    save(tokenizer, folder)
    text = json.dumps(made, indent=2) + "\n"
    (folder / "build.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(card(made), encoding="utf-8")
