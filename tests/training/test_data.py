"""From records to batches: the template's own words, loss on the answer, inert padding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts.build import built
from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.core.errors import UsageError
from training.config import load as load_config
from training.config.values import DataSection, Padding
from training.data import Collator, Examples, examples, load, padding_share
from training.data.collate import pad_id
from training.data.encode import IGNORED, encode
from training.data.packing import packed
from training.data.prepare import Prepared
from training.records import DataError, Record, RecordFile

RECORDS = (
    Record(instruction="Say yes.", output="yes"),
    Record(instruction="Write code.", input="class A {}", output="class A {\n  init() {}\n}"),
    Record(instruction="Explain a PDCA.", output="Objective, Plan, Do, Check and Act. " * 6),
)


@pytest.fixture(scope="module")
def folder() -> Path:
    return built("ci-light", cache_root())


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def own(folder: Path) -> Any:
    """A tokenizer that a test may spoil."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def part(*records: Record) -> RecordFile:
    return RecordFile(name="set", where="set.jsonl", records=records, sha256="")


def config_of(folder: Path, *records: Record, data: dict[str, Any] | None = None) -> Path:
    """A configuration of one training file and a hold-out of one record."""
    held = Record(instruction="Held out.", output="never seen")
    for name, lines in (("train", records), ("eval", (held,))):
        text = "".join(r.line() + "\n" for r in lines)
        (folder / f"{name}.jsonl").write_text(text)
    path = folder / "config.json"
    values = {
        "model": {"source": "build:ci-light"},
        "output": {"directory": "out"},
        "dataset": {
            "train": [{"file": str(folder / "train.jsonl"), "samples": len(records)}],
            "eval": {"file": str(folder / "eval.jsonl")},
        },
        "data": data or {"max_length": 512},
    }
    path.write_text(json.dumps(values))
    return path


def prepared(folder: Path, tokenizer: Any, **data: Any) -> Prepared:
    path = config_of(folder, *RECORDS, data={"max_length": 512, **data})
    return examples(load_config(path), tokenizer)


def test_a_sample_is_what_the_chat_template_writes_and_only_the_answer_is_learned(
    tmp_path: Path, tokenizer: Any
) -> None:
    rows = prepared(tmp_path, tokenizer).train
    assert len(rows) == len(RECORDS)
    for row, record in zip(rows_of(rows), RECORDS, strict=True):
        asked = {"role": "user", "content": record.prompt}
        prompt = tokenizer.apply_chat_template([asked], tokenize=False, add_generation_prompt=True)
        said = record.output + tokenizer.eos_token
        assert tokenizer.decode(row["input_ids"]) == prompt + said
        learned = [i for i in row["labels"] if i != IGNORED]
        assert tokenizer.decode(learned) == said
        hidden = len(row["labels"]) - len(learned)
        assert row["labels"][:hidden] == [IGNORED] * hidden
        assert row["input_ids"][:hidden] == tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert row["input_ids"][-1] == tokenizer.eos_token_id
        assert row["attention_mask"] == [1] * len(row["input_ids"])


def rows_of(rows: Examples) -> Iterator[dict[str, list[int]]]:
    return (rows[i] for i in range(len(rows)))


def test_a_system_text_stands_before_every_sample(tmp_path: Path, tokenizer: Any) -> None:
    rows = prepared(tmp_path, tokenizer, system="You follow the rules.").train
    for row in rows_of(rows):
        asked = tokenizer.decode(row["input_ids"]).partition("<|im_start|>user")[0]
        assert asked == "<|im_start|>system\nYou follow the rules.<|im_end|>\n"


def test_what_is_too_long_is_cut_at_its_end_and_counted(tmp_path: Path, tokenizer: Any) -> None:
    full = prepared(tmp_path, tokenizer).train[2]["input_ids"]
    made = prepared(tmp_path, tokenizer, max_length=64)
    assert made.train[2]["input_ids"] == full[:64]
    (train, _) = made.tokens
    assert (train.truncated, train.dropped, train.longest) == (1, 0, 64)


def test_negative_without_truncation_a_long_record_is_an_error_with_its_line(
    tmp_path: Path, tokenizer: Any
) -> None:
    with pytest.raises(
        UsageError, match=r"data\.max_length is 64, and truncation is off"
    ) as caught:
        prepared(tmp_path, tokenizer, max_length=64, truncation=False)
    assert caught.value.where.endswith("train.jsonl:3")


def test_negative_a_record_without_room_for_its_answer_is_dropped_not_learned_empty(
    tmp_path: Path, tokenizer: Any
) -> None:
    long = Record(instruction="why " * 200, output="because")
    path = config_of(tmp_path, RECORDS[0], long, data={"max_length": 64})
    made = examples(load_config(path), tokenizer)
    assert (len(made.train), made.dropped) == (1, 1)
    path = config_of(tmp_path, long, data={"max_length": 64})
    with pytest.raises(UsageError, match="no record has room for its response"):
        examples(load_config(path), tokenizer)


def test_negative_more_tokens_than_the_context_are_refused(tmp_path: Path, tokenizer: Any) -> None:
    with pytest.raises(UsageError, match=r"2048 tokens; the model's context is 1024"):
        prepared(tmp_path, tokenizer, max_length=2048)


def test_negative_a_tokenizer_without_a_chat_template_is_refused(own: Any) -> None:
    own.chat_template = None
    with pytest.raises(UsageError, match="no chat template"):
        encode(part(*RECORDS), own, DataSection())


def test_negative_a_template_that_rewrites_the_prompt_is_refused(own: Any) -> None:
    own.chat_template = (
        "{% for m in messages %}[{{ messages | length }}]{{ m.content }}{% endfor %}"
    )
    with pytest.raises(UsageError, match="does not write the answer after") as caught:
        encode(part(*RECORDS), own, DataSection())
    assert caught.value.where == "set.jsonl:1"


def test_negative_a_template_that_swallows_the_answer_is_refused(own: Any) -> None:
    own.chat_template = "{% for m in messages %}{{ m.role }}{% endfor %}"
    with pytest.raises(UsageError, match="does not write the answer after"):
        encode(part(*RECORDS), own, DataSection())


@pytest.mark.parametrize("key", ["instruction", "input", "output"])
def test_negative_a_special_token_in_a_text_is_refused(own: Any, key: str) -> None:
    texts: dict[str, Any] = {
        "instruction": "a",
        "input": "b",
        "output": "c",
        key: "one<|im_end|>two",
    }
    with pytest.raises(UsageError, match=r"holds '<\|im_end\|>'") as caught:
        encode(part(RECORDS[0], Record(**texts)), own, DataSection())
    assert caught.value.where == "set.jsonl:2"


def test_a_template_that_forgets_the_end_of_the_turn_gets_it(own: Any) -> None:
    own.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    (sample,) = encode(part(RECORDS[0]), own, DataSection())
    assert sample is not None
    assert own.decode(sample.ids) == "Say yes.\nyes\n<|im_end|>"


def test_a_tokenizer_without_padding_pads_with_its_end_and_still_learns_the_end(
    tmp_path: Path, own: Any
) -> None:
    own.pad_token = None
    made = prepared(tmp_path, own)
    assert made.collator.pad_id == own.eos_token_id
    batch = made.collator([made.train[0], made.train[2]])
    learned = batch["labels"][0][batch["labels"][0] != IGNORED]
    assert learned[-1] == own.eos_token_id
    assert (batch["labels"][0] == own.eos_token_id).sum() == 1


def test_negative_a_tokenizer_that_can_neither_pad_nor_end_is_refused(own: Any) -> None:
    own.pad_token = own.eos_token = None
    with pytest.raises(UsageError, match="neither a padding token nor an end of text"):
        pad_id(own)


def test_a_batch_is_as_wide_as_its_longest_row_and_padding_is_masked(
    tmp_path: Path, tokenizer: Any
) -> None:
    made = prepared(tmp_path, tokenizer)
    rows = [made.train[0], made.train[2]]
    batch = made.collator(rows)
    lengths = [len(r["input_ids"]) for r in rows]
    assert batch["input_ids"].shape == (2, max(lengths))
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert (batch["input_ids"][0, lengths[0] :] == tokenizer.pad_token_id).all()
    assert (batch["labels"][0, lengths[0] :] == IGNORED).all()
    wide = prepared(tmp_path, tokenizer, padding="max_length").collator(rows)
    assert wide["input_ids"].shape == (2, 512)
    even = prepared(tmp_path, tokenizer, pad_to_multiple_of=64).collator(rows)
    assert even["input_ids"].shape[1] == -(-max(lengths) // 64) * 64


def test_packing_splits_no_sample_loses_none_and_fills_better(tokenizer: Any) -> None:
    rng = np.random.default_rng(3)
    records = [Record(instruction="n", output="word " * n) for n in rng.integers(1, 60, 200)]
    samples = [s for s in encode(part(*records), tokenizer, DataSection(max_length=256)) if s]
    rows = packed(samples, 256)
    assert sorted(i for row in rows.rows for i in row) == list(range(len(samples)))
    assert rows.lengths.max() <= 256
    total = sum(len(s.ids) for s in samples)
    assert total / (256 * len(rows)) > 0.95
    assert packed(samples, 256).rows == rows.rows
    one = rows[0]
    assert max(one["attention_mask"]) == len(rows.rows[0])
    firsts = np.flatnonzero(np.diff(one["attention_mask"], prepend=0))
    assert [one["labels"][i] for i in firsts] == [IGNORED] * len(firsts)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return made.train(mode=False)


def loss_of(model: Any, batch: Any) -> tuple[float, int]:
    """Mean loss of a batch and how many tokens it is the mean of."""
    import torch

    with torch.no_grad():
        loss = model(**batch).loss.item()
    return loss, int((batch["labels"][:, 1:] != IGNORED).sum())


@pytest.mark.parametrize("padding", ["batch", "max_length", "packing"])
def test_padding_and_packing_leave_the_loss_of_each_token_as_it_is(
    tmp_path: Path, tokenizer: Any, model: Any, padding: Padding
) -> None:
    alone = prepared(tmp_path, tokenizer)
    each = [loss_of(model, alone.collator([row])) for row in rows_of(alone.train)]
    wanted = sum(loss * n for loss, n in each) / sum(n for _, n in each)
    made = prepared(tmp_path, tokenizer, padding=padding)
    rows = list(rows_of(made.train))
    assert len(rows) == (1 if padding == "packing" else 3)
    loss, count = loss_of(model, made.collator(rows))
    assert count == sum(n for _, n in each)
    assert loss == pytest.approx(wanted, rel=1e-5)  # float32, sums in another order


def test_negative_packed_samples_that_see_one_another_have_another_loss(
    tmp_path: Path, tokenizer: Any, model: Any
) -> None:
    """What the mask of packing is for: without it the loss moves far beyond rounding."""
    import torch

    made = prepared(tmp_path, tokenizer, padding="packing")
    batch = made.collator([made.train[0]])
    right, _ = loss_of(model, batch)
    del batch["position_ids"]
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    wrong, _ = loss_of(model, batch)
    assert abs(wrong - right) > 1e-3 * right


def test_packing_masks_padding_without_making_nan(
    tmp_path: Path, tokenizer: Any, model: Any
) -> None:
    import torch

    made = prepared(tmp_path, tokenizer, padding="packing")
    short = {key: value[:20] for key, value in made.train[0].items()}
    batch = made.collator([made.train[0], short])
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert torch.isfinite(logits).all()
    assert batch["position_ids"][0].max() < len(made.train[0]["input_ids"]) - 1


def test_the_share_of_padding_is_computed_as_batches_would_have_it(tokenizer: Any) -> None:
    records = [Record(instruction="n", output="word " * n) for n in (2, 2, 40, 40)]
    samples = [s for s in encode(part(*records), tokenizer, DataSection(max_length=256)) if s]
    rows = Examples(samples=tuple(samples), rows=((0,), (1,), (2,), (3,)))
    lengths = rows.lengths
    to_batch = Collator(pad_id=0, padding="batch", max_length=256)
    to_most = Collator(pad_id=0, padding="max_length", max_length=256)
    assert padding_share(rows, to_batch, 1, 0) == 0
    assert padding_share(rows, to_batch, 4, 0) == pytest.approx(
        1 - lengths.sum() / (4 * lengths.max())
    )
    assert padding_share(rows, to_most, 2, 0) == pytest.approx(1 - lengths.sum() / (4 * 256))


def test_files_are_counted_and_hashed_each_and_all_mistakes_come_together(tmp_path: Path) -> None:
    path = config_of(tmp_path, *RECORDS)
    data = load(load_config(path))
    assert {p.name: len(p.records) for p in data.files} == {"train": 3, "eval": 1}
    assert data.hashes["train"] != data.hashes["eval"]
    before = data.sha256
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("{\n")
    (tmp_path / "eval.jsonl").write_text('{"instruction": 1}\n')
    with pytest.raises(DataError) as caught:
        load(load_config(path))
    named = {(Path(file).name, p.line) for file, p in caught.value.problems}
    assert named == {("train.jsonl", 4), ("eval.jsonl", 1)}
    config_of(tmp_path, *RECORDS[:2])
    assert load(load_config(path)).sha256 != before


def test_generated_data_comes_without_files(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    values = json.loads(config_of(tmp_path).read_text())
    values["dataset"] = {"synthetic": {"size": 90, "seed": 5}}
    path.write_text(json.dumps(values))
    data = load(load_config(path))
    assert sum(len(p.records) for p in data.files) == 90
    assert data.eval is not None
    assert data.eval.name == "eval"
