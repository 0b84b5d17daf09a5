"""From JSONL files to token sequences: loading, statistics, leakage, encoding, padding, packing."""

from training.data.collate import Collator
from training.data.encode import Examples
from training.data.leakage import Leak, leaks
from training.data.load import Data, load
from training.data.prepare import Prepared, examples
from training.data.statistics import SetTokens, padding_share

__all__ = [
    "Collator",
    "Data",
    "Examples",
    "Leak",
    "Prepared",
    "SetTokens",
    "examples",
    "leaks",
    "load",
    "padding_share",
]
