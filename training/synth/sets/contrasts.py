"""Requests that come in two kinds and differ in one phrase: with it a rule is broken, or kept.

Whole sentences teach a rule's topic; only such pairs teach what decides. Training alone draws from
here: the hold-out, and the prompts of the ship gates, ask in sentences of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.synth.draw import Draw
from training.synth.sets.contrast import Contrast
from training.synth.sets.contrasts_code import CONSTRUCTOR, SECRETS, VITEST
from training.synth.sets.contrasts_process import AUTOMATION, PDCA

CONTRASTS: Mapping[str, Sequence[Contrast]] = {
    "vitest": VITEST,
    "automation": AUTOMATION,
    "secrets": SECRETS,
    "pdca": PDCA,
    "constructor": CONSTRUCTOR,
}


def contrasted(draw: Draw, kind: str, *, breaks: bool) -> str:
    """A request that breaks or keeps the rule `kind`."""
    contrast = draw.shared(CONTRASTS[kind])
    frames = contrast.frames if breaks else (*contrast.frames, *contrast.only_kept)
    way, other = (draw.fill(draw.shared(pool)) for pool in (contrast.broken, contrast.kept))
    if not breaks:
        way, other = other, way
    draw.bind(way=way, other=other, what=draw.fill(draw.shared(contrast.what)))
    made = draw.fill(draw.shared(frames))
    return made[:1].upper() + made[1:]
