"""Other test tools on the same prompts, from start to end: each in an environment of its own.

A peer that does not install, or does not answer every prompt, is not measured, and says why.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.measuring import THREADS, Measured, NotMeasured, interleaved, timed
from benchmarks.ours import Asked, ours
from benchmarks.prompts import MAX_TOKENS, prompts
from benchmarks.table import Line, below, middle, ratio, why_not

PEERS = Path(__file__).parent / "peers"
BATCH = 32
TASK = """\
task: bench
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{prompt}}}}"
doc_to_target: ""
generation_kwargs: {{until: ["<|im_end|>"], max_gen_toks: {max_tokens}, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where one run of a peer finds and leaves what it needs; `python` is its environment's."""

    folder: Path
    python: Path
    count: int
    dtype: str

    @property
    def out(self) -> Path:
        """The JSON list of texts that the peer leaves."""
        return self.folder / "texts.json"


Run = Callable[[Job, Mapping[str, str]], float]


def environment_of(name: str, requirements: tuple[str, ...]) -> Path:
    """The Python of a peer's own environment, made by uv. Raises NotMeasured."""
    uv = shutil.which("uv")
    if not uv:
        raise NotMeasured("uv is not installed")
    folder = models.folder() / "envs" / name
    timed([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder])
    links = ["--find-links", _wheels(uv)] if any("llama" in r for r in requirements) else []
    timed([uv, "pip", "install", "--quiet", "--python", folder, *links, *requirements])
    return folder / "bin" / "python"


def _wheels(uv: str) -> Path:
    """llama-cpp-python of our own version, compiled once for all: it comes as source."""
    folder = models.folder() / "wheels"
    wanted = version("llama-cpp-python")
    if not list(folder.glob(f"llama_cpp_python-{wanted}-*.whl")):
        pip = [uv, "tool", "run", "--python", sys.executable, "pip"]
        timed([*pip, "wheel", "--no-deps", "-w", folder, f"llama-cpp-python=={wanted}"])
    return folder


def _script(name: str, job: Job, more: Mapping[str, str]) -> float:
    return timed([job.python, PEERS / name], cwd=job.folder, more=more)[0]


def _plain(job: Job, more: Mapping[str, str]) -> float:
    flags = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", job.folder]
    return timed(
        [job.python, "-m", "pytest", *flags, PEERS / "plain_pytest.py"], cwd=job.folder, more=more
    )[0]


def _lm_eval(job: Job, more: Mapping[str, str]) -> float:
    data = job.folder / "prompts.jsonl"
    rows = (json.dumps({"prompt": p}) for p in prompts(job.count))
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    task = TASK.format(data=json.dumps(str(data)), max_tokens=MAX_TOKENS)
    (job.folder / "bench.yaml").write_text(task, encoding="utf-8")
    model = f"pretrained={models.safetensors()},dtype={job.dtype}"
    flags = {
        "--model": "hf",
        "--model_args": model,
        "--tasks": "bench",
        "--include_path": job.folder,
        "--batch_size": BATCH,
        "--device": "cpu",
        "--output_path": job.folder / "out",
    }
    arguments = [part for pair in flags.items() for part in map(str, pair)]
    command = [job.python, "-m", "lm_eval", *arguments, "--apply_chat_template", "--log_samples"]
    offline = {**more, "HF_DATASETS_CACHE": str(job.folder / "datasets")}
    seconds, _ = timed(command, cwd=job.folder, more=offline)
    found = [
        json.loads(line)["resps"][0][0]
        for file in (job.folder / "out").rglob("samples_*.jsonl")
        for line in file.read_text("utf-8").splitlines()
    ]
    job.out.write_text(json.dumps(found), encoding="utf-8")
    return seconds


def _promptfoo(job: Job, more: Mapping[str, str]) -> float:
    place = models.folder() / "envs" / "promptfoo-node"
    program = place / "node_modules" / ".bin" / "promptfoo"
    if not program.exists():
        npm = shutil.which("npm")
        if not npm:
            raise NotMeasured("npm is not installed")
        timed([npm, "install", "--no-audit", "--no-fund", "--prefix", place, "promptfoo"])
    provider = PEERS / "promptfoo_provider.py"
    config = {
        "prompts": ["{{prompt}}"],
        "providers": [{"id": f"file://{provider}", "config": {"workers": 1}}],
        "tests": [{"vars": {"prompt": p}} for p in prompts(job.count)],
    }
    (job.folder / "promptfooconfig.json").write_text(json.dumps(config), encoding="utf-8")
    quiet = {
        **more,
        "PROMPTFOO_PYTHON": str(job.python),
        "PROMPTFOO_CONFIG_DIR": str(job.folder / "home"),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true",
    }
    result = job.folder / "result.json"
    flags = ["--no-cache", "--no-table", "--no-progress-bar", "-j", "1", "-o", result]
    seconds, _ = timed(
        [program, "eval", "-c", "promptfooconfig.json", *flags], cwd=job.folder, more=quiet
    )
    rows = json.loads(result.read_text("utf-8"))["results"]["results"]
    texts = [r["response"].get("output") for r in rows]
    job.out.write_text(json.dumps(texts), encoding="utf-8")
    return seconds


_LLAMA = (f"llama-cpp-python=={version('llama-cpp-python')}",)
_TORCH = ("torch>=2.6", "transformers>=5.0", "accelerate>=1.2")
RIVALS: dict[str, tuple[tuple[str, ...], Run]] = {
    "lm-eval (transformers, {dtype})": (("lm-eval[hf]>=0.4.9", *_TORCH), _lm_eval),
    "inspect_ai (transformers, {dtype})": (
        ("inspect-ai>=0.3.200", *_TORCH),
        partial(_script, "inspect_case.py"),
    ),
    "deepeval (llama-cpp-python)": (
        ("deepeval>=3", *_LLAMA),
        partial(_script, "deepeval_cases.py"),
    ),
    "promptfoo (llama-cpp-python)": (_LLAMA, _promptfoo),
    "plain pytest (llama-cpp-python)": (("pytest>=8.2", *_LLAMA), _plain),
}


def rivals(count: int, repeats: int, quantisations: tuple[str, ...], dtype: str) -> list[Line]:
    """Ours on each of `quantisations` and in `dtype`, and every peer, in turns."""
    ways: dict[str, Callable[[], Measured]] = {}
    for quantisation in quantisations:
        asked = Asked(
            path=models.gguf(quantisation),
            format="gguf",
            quantization=quantisation,
            mode="fast",
            count=count,
        )
        ways[f"ours (llama.cpp, {quantisation}, fast)"] = partial(ours, asked)
    folder = models.safetensors()
    short = {"float32": "f32", "bfloat16": "bf16"}[dtype]
    floats = Asked(path=folder, format="safetensors", quantization=short, mode="fast", count=count)
    ways[f"ours (transformers, {dtype}, fast)"] = partial(ours, floats)
    mine = list(ways)
    for name, (requirements, run) in RIVALS.items():
        own = name.split()[0]
        job = partial(Job, count=count, dtype=dtype)
        ways[name.format(dtype=dtype)] = partial(_measured, own, requirements, run, job)
    rows = interleaved(ways, repeats)
    seconds = {name: middle(taken, "wall_s") for name, taken in rows.items()}
    theirs = {n: s for n, s in seconds.items() if n not in mine and s is not None}
    fastest = min(theirs, key=theirs.__getitem__) if theirs else ""
    return [
        *(Line(what=n, value=s, unit="s", note=_note(rows[n])) for n, s in seconds.items()),
        *(
            Line(
                what=f"{name} over the fastest peer",
                value=ratio(seconds[name], theirs.get(fastest)),
                promise=below(0.6),
                note=fastest or "no peer was measured",
            )
            for name in mine
        ),
    ]


def _note(rows: list[Measured]) -> str:
    if why := why_not(rows):
        return why
    answering = middle(rows, "answering_s")
    wall = middle(rows, "wall_s")
    if answering is None or wall is None:
        return ""
    rest = wall - answering
    return f"answering {answering:.1f} s; pytest, loading, gateways and evidence {rest:.1f} s"


def _measured(
    own: str, requirements: tuple[str, ...], run: Run, job_in: Callable[..., Job]
) -> Measured:
    python = environment_of(own, requirements)
    with tempfile.TemporaryDirectory() as name:
        job = job_in(folder=Path(name), python=python)
        file = job.folder / "job.json"
        what: dict[str, Any] = {
            "prompts": prompts(job.count),
            "dtype": job.dtype,
            "max_tokens": MAX_TOKENS,
            "threads": THREADS,
            "gguf": str(models.gguf("q4_1")),
            "folder": str(models.safetensors()),
            "batch": BATCH,
            "out": str(job.out),
        }
        file.write_text(json.dumps(what), encoding="utf-8")
        quiet = {"BENCH_JOB": str(file), "DEEPEVAL_TELEMETRY_OPT_OUT": "YES"}
        seconds = run(job, quiet)
        texts = json.loads(job.out.read_text("utf-8")) if job.out.is_file() else []
    answered = sum(bool(text) for text in texts)
    if answered < job.count * 0.95:
        raise NotMeasured(f"only {answered} of {job.count} prompts were answered")
    return {"wall_s": seconds, "texts": texts}
