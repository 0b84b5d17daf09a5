"""What a run needs of its data: rows to train on, rows to evaluate on, and a collator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_modelqa.core.errors import UsageError
from training.config import TrainingConfig
from training.config.values import DataSection
from training.data.collate import Collator, collator
from training.data.encode import Examples, Sample, encode, one_a_row
from training.data.load import Data, load
from training.data.packing import packed
from training.data.statistics import SetTokens, tokens_of
from training.records import RecordFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Encoded data, and the tokens of each set."""

    train: Examples
    eval: Examples | None
    collator: Collator
    data: Data
    tokens: tuple[SetTokens, ...]

    @property
    def dropped(self) -> int:
        """Records without room for their response."""
        return sum(part.dropped for part in self.tokens)


def examples(config: TrainingConfig, tokenizer: Any, data: Data | None = None) -> Prepared:
    """Load (unless `data` is given) and encode a configuration's data with a model's tokenizer.

    Raises ConfigError, DataError or UsageError for what is missing, malformed or too long.
    """
    section = config.data
    _require_context(tokenizer, section)
    data = data or load(config)
    found = {part.name: encode(part, tokenizer, section) for part in data.files}
    train = [sample for part in data.train for sample in found[part.name]]
    return Prepared(
        train=_rows(train, section, data.train),
        eval=_rows(found[data.eval.name], section, (data.eval,)) if data.eval else None,
        collator=collator(tokenizer, section),
        data=data,
        tokens=tuple(tokens_of(name, samples) for name, samples in found.items()),
    )


def _rows(
    found: list[Sample | None], section: DataSection, parts: tuple[RecordFile, ...]
) -> Examples:
    samples = [s for s in found if s is not None]
    if not samples:
        raise UsageError(
            f"no record has room for its response within {section.max_length} tokens",
            where=", ".join(part.where for part in parts),
            remedy="raise data.max_length",
        )
    if section.padding == "packing":
        return packed(samples, section.max_length)
    return one_a_row(samples)


def _require_context(tokenizer: Any, section: DataSection) -> None:
    """Tokenizers without a limit say 10^30."""
    context = tokenizer.model_max_length
    if section.max_length > context:
        raise UsageError(
            f"data.max_length is {section.max_length} tokens; the model's context is {context}",
            where=str(getattr(tokenizer, "name_or_path", "")),
            remedy=f"set data.max_length to {context} or less",
        )
