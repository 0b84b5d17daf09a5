"""inspect_ai: one task over the prompts, with transformers, in batches of its own making."""

from __future__ import annotations

import json
import os
from pathlib import Path

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


def main() -> None:
    """Answer all prompts."""
    job = json.loads(Path(os.environ["BENCH_JOB"]).read_text("utf-8"))
    model = get_model(
        "hf/local",
        model_path=job["folder"],
        device="cpu",
        torch_dtype=job["dtype"],
        do_sample=False,
        config=GenerateConfig(max_tokens=job["max_tokens"], max_connections=job["batch"]),
    )
    samples = [Sample(input=p, target="") for p in job["prompts"]]
    task = Task(dataset=samples, solver=generate(), scorer=includes())
    folder = Path(job["out"]).parent
    log = eval(task, model=model, display="none", log_dir=str(folder))[0]
    if log.status != "success" or not log.samples:
        raise SystemExit(f"inspect_ai: {log.status} {log.error}")
    texts = [s.output.completion for s in log.samples]
    Path(job["out"]).write_text(json.dumps(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
