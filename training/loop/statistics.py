"""`training_stats.json`: what a run was and how fast it went."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from training.loop.job import STAMP, Job
from training.loop.memory_use import peak_bytes
from training.loop.watchers import Step, recent_loss


def statistics_of(job: Job, steps: Sequence[Step], more: Mapping[str, Any]) -> dict[str, Any]:
    """All numbers of a whole run; seconds and tokens are those of all its processes together.

    `train_loss` is the mean over all steps, `final_loss` that of the last ones; nats a token.
    """
    last = steps[-1]
    t = job.config.training
    seen = last.step * t.batch_size * t.gradient_accumulation_steps
    samples = min(seen, math.ceil(last.epoch * job.facts["data"]["samples"]))
    return {
        "train_runtime": last.elapsed_s,
        "train_samples_per_second": samples / last.elapsed_s,
        "train_tokens_per_second": last.tokens / last.elapsed_s,
        "train_loss": math.fsum(s.loss for s in steps) / len(steps),
        "final_loss": recent_loss(steps),
        "steps": last.step,
        "epochs": last.epoch,
        "total_samples": job.facts["data"]["samples"],
        "samples_seen": samples,
        "tokens": last.tokens,
        "timestamp": time.strftime(STAMP, time.gmtime()),
        "peak_memory_bytes": max(peak_bytes(job.device.kind), *(s.memory_bytes for s in steps)),
        "max_gradient_norm": max(s.gradient_norm for s in steps),
        **more,
        "device": job.facts["device"],
        "versions": job.facts["versions"],
        "config_sha256": job.facts["config_sha256"],
        "data_sha256": job.facts["data"]["sha256"],
        "base_sha256": job.facts["base"]["sha256"],
    }
