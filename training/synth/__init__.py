"""A deterministic generator of all nine sets, from grammars of the process that they teach.

Synthetic, and says so: every record carries the generator's name in its metadata, and so does the
manifest. Training and hold-out draw from disjoint templates and values.
"""

from training.synth.sides import GENERATOR, Sets, drawn, generate, sizes
from training.synth.write import write

__all__ = ["GENERATOR", "Sets", "drawn", "generate", "sizes", "write"]
