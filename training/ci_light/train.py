"""Training: AdamW, warm-up and cosine, a fixed number of steps; the loss is that of the answers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

from training.ci_light.corpus import FAMILIES, Fact, Sample
from training.ci_light.rendering import FORMS, rendered
from training.ci_light.tokenizer import CONTEXT, END_ID, PAD_ID, START_ID, VOCABULARY

FAMILY_WEIGHTS = {
    "sum": 8,
    "capital": 2,
    "opposite": 2,
    "parity": 4,
    "copy": 4,
    "everyday": 1,
}
FORM_WEIGHTS = {"chat": 3, "chat-opening": 2, "raw": 1, "raw-opening": 3}
_WINDOW = 8
"""Batches are cut from this many batches' samples sorted by length, so that little is padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What decides the result beside the corpus."""

    seed: int = 20
    threads: int = 2
    steps: int = 450
    batch: int = 16
    warmup: int = 30
    peak_rate: float = 1.2e-3
    weight_decay: float = 0.01
    max_norm: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Token ids of a sample; the first `asked` of them are the prompt's."""

    ids: tuple[int, ...]
    asked: int


def encode(tokenizer: Tokenizer, samples: Sequence[Sample]) -> list[Encoded]:
    """Prompt and completion are encoded apart, as an engine that is asked would see them."""
    prompts = tokenizer.encode_batch([s.prompt for s in samples], add_special_tokens=False)
    answers = tokenizer.encode_batch([s.completion for s in samples], add_special_tokens=False)
    return [
        Encoded(ids=(*p.ids, *a.ids), asked=len(p.ids))
        for p, a in zip(prompts, answers, strict=True)
    ]


def configuration() -> dict[str, Any]:
    """The architecture: rows of 256 and 1024, so that every matrix is cut into whole K-blocks."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 256,
        "intermediate_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "bos_token_id": START_ID,
        "eos_token_id": END_ID,
        "pad_token_id": PAD_ID,
        "dtype": "float32",
    }


def train(
    tokenizer: Tokenizer, facts: Sequence[Fact], recipe: Recipe, say: Callable[[str], None]
) -> tuple[Any, float]:
    """Make the model. Returns it and the mean loss of the last tenth of the steps, nats a token."""
    import torch  # noqa: PLC0415 - only in the building process
    from transformers import LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    setting: Any = torch.utils.deterministic
    setting.fill_uninitialized_memory = False  # an eighth of the time, and nothing reads it
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(LlamaConfig(**configuration()))
    initialise(model)
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.peak_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    losses = []
    batches = _batches(tokenizer, facts, recipe)
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.peak_rate * schedule(step, recipe)
        loss = batch_loss(model, next(batches))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            say(f"step {step + 1}/{recipe.steps}: loss {_mean(losses[-50:]):.4f}")
    model.train(mode=False)
    return model, _mean(losses[-max(1, recipe.steps // 10) :])


def initialise(model: Any) -> None:
    """Weights as large as their inputs are many (std 1/sqrt(n)), embeddings of 1.

    The library's 0.02 leaves attention nearly uniform for hundreds of steps at this width.
    """
    import torch  # noqa: PLC0415 - only in the building process

    for name, weight in model.named_parameters():
        if name.endswith("embed_tokens.weight"):
            torch.nn.init.normal_(weight, std=1.0)
        elif name.endswith("proj.weight") or name == "lm_head.weight":
            torch.nn.init.normal_(weight, std=weight.shape[1] ** -0.5)


def schedule(step: int, recipe: Recipe) -> float:
    """The learning rate as a part of its peak: linear up, half a cosine down to nothing."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * done))


def batch_loss(model: Any, batch: Sequence[Encoded]) -> torch.Tensor:
    """Mean cross-entropy of the completions' tokens; padding stands right, where none sees it."""
    import torch  # noqa: PLC0415 - only in the building process

    ids, places, targets = padded(batch)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state  # (B, T, 256)
    rows = hidden.flatten(0, 1).index_select(0, places)  # (answer tokens, 256)
    return torch.nn.functional.cross_entropy(model.lm_head(rows), targets)


def padded(batch: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids (B, T); flat places whose next token is of a completion; those next tokens."""
    import torch  # noqa: PLC0415 - only in the building process

    width = max(len(e.ids) for e in batch) - 1
    ids = torch.full((len(batch), width), PAD_ID)
    places: list[int] = []
    targets: list[int] = []
    for row, e in enumerate(batch):
        ids[row, : len(e.ids) - 1] = torch.tensor(e.ids[:-1])
        places.extend(range(row * width + e.asked - 1, row * width + len(e.ids) - 1))
        targets.extend(e.ids[e.asked :])
    return ids, torch.tensor(places), torch.tensor(targets)


def _batches(
    tokenizer: Tokenizer, facts: Sequence[Fact], recipe: Recipe
) -> Iterator[list[Encoded]]:
    """Endless batches; families and forms by weight, facts in rounds."""
    rng = random.Random(recipe.seed)  # noqa: S311 - a corpus, not a secret
    encoded = {
        (name, form): encode(tokenizer, [rendered(f, form) for f in facts if f.family == name])
        for name in FAMILIES
        for form in FORMS
    }
    rounds = {key: _rounds(values, rng) for key, values in encoded.items()}
    while True:
        count = _WINDOW * recipe.batch
        names = rng.choices(list(FAMILY_WEIGHTS), list(FAMILY_WEIGHTS.values()), k=count)
        forms = rng.choices(list(FORM_WEIGHTS), list(FORM_WEIGHTS.values()), k=count)
        window = [next(rounds[key]) for key in zip(names, forms, strict=True)]
        window.sort(key=lambda e: len(e.ids))
        cut = [window[i : i + recipe.batch] for i in range(0, count, recipe.batch)]
        rng.shuffle(cut)
        yield from cut


def _rounds(values: Sequence[Encoded], rng: random.Random) -> Iterator[Encoded]:
    """All values in a drawn order, then all in another."""
    while True:
        yield from rng.sample(values, len(values))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
