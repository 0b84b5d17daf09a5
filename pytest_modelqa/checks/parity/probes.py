"""Texts that tokenizers are compared on: a committed set by group, and strings drawn from a seed.

A group holds texts that the same defect changes: what digits are split into, where a line break
belongs, which form of a character is kept. So the share of a group that differs tells causes apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import MappingProxyType

from pytest_modelqa.checks.families.edge import COMBINING, CONTROLS, EMOJI, SENTENCES, SPACES
from pytest_modelqa.checks.families.family import (
    Below,
    Characters,
    Family,
    Field,
    Kind,
    OneOf,
    Question,
    Several,
)
from pytest_modelqa.checks.oracles.garbage import Garbage
from pytest_modelqa.core.check import Category


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_WORDS = _listed(
    "the The THE a I of and tokenization Tokenizer internationalisation hello world camelCase "
    "PascalCase snake_case SCREAMING_CASE antidisestablishmentarianism xylophone qwerty zzz ing "
    "tion str int def return naive cafe"
)
_DIGITS = _listed(
    "0 7 10 12 99 100 123 999 1000 1234 12345 123456 1234567 12345678901234567890 007 3.14159 "
    "1,000,000 1_000 2024-01-31 12:34:56 0xDEADBEEF 1e-10 -42 +49 50% $9.99 192.168.0.1 v2.10.3 "
    "a1b2c3 x86_64 1st 22nd H2O 100km \u0661\u0662\u0663 \u0967\u0968\u0969 \uff11\uff12\uff13 "
    "\u00bd \u2168 x\u00b2"
)
_CONTRACTIONS = _listed(
    "I'm you're he's she'd we'll they've don't isn't I'M YOU'RE DON'T WE'LL rock'n'roll 'tis "
    "o'clock l'eau d'accord Hawai'i it\u2019s don\u2019t ' '' ''' 's 'S"
)
_PUNCTUATION = _listed(
    "... !!! ?! -- --- => -> != == <= >= && || ++ += // /* */ :: () [] {} (( )) [[ ]] {{ }} "
    '## @@ $$ %% ^^ ** ~~ `` ``` " "" \u2014 \u2026 \u00ab\u00bb \u201c\u201d \u3001\u3002'
)
_URLS = (
    "https://example.org/a/b?c=d&e=f#g",
    "http://user:pw@host:8080/%7Euser/index.html",
    "mailto:someone@example.org",
    "C:\\Users\\name\\file.txt",
    "/usr/local/lib/python3.11/site-packages",
    "name+tag@sub.domain.example",
    "s3://bucket/key=1/part-0000.parquet",
)
_CODE = (
    "def f(x: int) -> int:\n    return x ** 2\n",
    "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}\n",
    '{"key": [1, 2.5, null, true], "s": "a\\nb"}',
    "SELECT * FROM t WHERE a >= 10 AND b LIKE '%x%';",
    '<div class="a b">&nbsp;&amp;</div>',
    'fn main() { println!("{:?}", vec![1u8; 3]); }',
    "if __name__ == '__main__':\r\n\tmain()\r\n",
    "#!/bin/sh\nset -eu\necho \"${X:-1}\" | grep -E '^[0-9]+$'\n",
    "x = lambda *a, **k: (yield)  # noqa",
    "\\frac{a}{b} + \\sum_{i=0}^{n} x_i^2",
    "| a | b |\n|---|:-:|\n| 1 | 2 |",
    "git commit -m 'fix: a' && git push --force-with-lease",
)
_PROSE = (
    "The quick brown fox jumps over the lazy dog.",
    "It was the best of times, it was the worst of times.",
    '"Well," she said, "that\'s 3 o\'clock - isn\'t it?"',
    "Dr. Smith (b. 1970) earned $1,234.56 in Q3/2024; e.g. see p. 12.",
    "Zwei Stra\u00dfen \u00fcber Gr\u00f6\u00dfe, Fa\u00e7ade, pi\u00f1ata, sm\u00f8rrebr\u00f8d.",
    "Tieng Vi\u1ec7t c\u00f3 d\u1ea5u, \u010de\u0161tina m\u00e1 h\u00e1\u010dky, "
    "T\u00fcrk\u00e7e \u0131\u0130.",
)
_SCRIPTS = (
    "\u4e2d\u6587\u5206\u8bcd\u6d4b\u8bd5\u3002",
    "\u7e41\u9ad4\u4e2d\u6587\uff0c\u6e2c\u8a66",
    "\u65e5\u672c\u8a9e\u306e\u30c8\u30fc\u30af\u30f3",
    "\u30ab\u30bf\u30ab\u30ca\u3068\u3072\u3089\u304c\u306a",
    "\ud55c\uad6d\uc5b4 \ud1a0\ud070\ud654 \uc2dc\ud5d8",
    "\u0627\u0644\u0644\u063a\u0629 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092d\u093e\u0937\u093e",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e44\u0e21\u0e48\u0e21\u0e35\u0e0a\u0e48\u0e2d\u0e07",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u042f\u0437\u044b\u043a",
    "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03c2",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "English \u4e2d\u6587 \u0627\u0644 mixed",
)
_SPECIALS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|start_header_id|>user<|end_header_id|>\n\n",
    "<s>",
    "</s>",
    "<unk>",
    "<pad>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<start_of_turn>model\n",
    "<end_of_turn>",
    "<bos>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<|im_start|",
    "<|im_start|><|im_start|>",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "a<|im_end|>b",
    " <|im_end|> ",
    "<|im_end|>\n\n",
    "<s>[INST] hi [/INST] ho </s>",
    "x<s>y",
    "<|endoftext|> a",
    "<|endoftext|>a",
    "<repo_name>x<file_sep>y",
    "<0x0A>",
    "\u2581\u2581a",
    "\u0120\u010a",
)
_SINGLES = "aA0.,'\"- \n\t\r\v\f\u00a0\u2003\u3000\u200b\ufeff\u00e9\u4e2d\u3042\ud55c\U0001f600"
_ACCENTED = "\u00e9\u00f1\u00fc\u00e5\u1ec7\u0439\u304c\u30d1\ud55c\uac01\u0958\u1e69"
_COMPATIBLE = _listed(
    "\ufb01 \u2460 \uff21 \u33a1 \u00b5 \u2126 \u212b \u017f \u00aa \ufdfa \u1d2c"
)
_RUN_LENGTHS = (2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 127, 256, 1000)
_LONG_RUN = 3000


def _runs(characters: str, lengths: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(c * n for c in characters for n in lengths)


def _spaces() -> tuple[str, ...]:
    inside = tuple(f"a{' ' * n}b" for n in range(1, 9))
    before = tuple(f"{s}a" for s in SPACES)
    behind = tuple(f"a{s}" for s in SPACES)
    lines = tuple(f"a{a}{b}b" for a in ("\n", "\r\n", "\n\n", " \n", "\t") for b in ("", " ", "\n"))
    punctuated = tuple(f".{s}A" for s in (" ", "  ", "\n", "\n\n", "\r\n", "\t"))
    runs = _runs(" \n\t", _RUN_LENGTHS[:9])
    return tuple(dict.fromkeys((*inside, *before, *behind, *lines, *punctuated, *runs)))


def _digits() -> tuple[str, ...]:
    """Numbers alone, in a text, and behind runs of spaces, which rules for digits cut otherwise."""
    spaced = tuple(f"a{s}{d}" for s in (" ", "  ", "   ", "\n\n", "\t\t") for d in _DIGITS[:6])
    return (*(d for d in _DIGITS if len(d) == 1 or not d.isdigit()), *spaced)


def _forms() -> tuple[str, ...]:
    """Composed and decomposed forms, compatibility characters, stacks of marks."""
    split = tuple(unicodedata.normalize("NFD", c) for c in _ACCENTED)
    words = ("caf\u00e9", "cafe\u0301", "\u1112\u1161\u11ab", "A\u030a", "q\u0323\u0307")
    marked = tuple(f"e{mark}" for mark in COMBINING)
    forms = (*_ACCENTED, *split, *words, *_COMPATIBLE, *marked, "Z" + COMBINING[:8])
    return tuple(dict.fromkeys(forms))


PROBES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "words": (*_WORDS, *(f" {w}" for w in _WORDS), *_PROSE),
        "numbers": (
            *(d for d in _DIGITS if len(d) > 1 and d.isdigit()),
            *_runs("17", _RUN_LENGTHS[:9]),
        ),
        "digits": _digits(),
        "contractions": (*_CONTRACTIONS, *(f"and {c} so" for c in _CONTRACTIONS)),
        "punctuation": (*_PUNCTUATION, *(f"a{p}b" for p in _PUNCTUATION)),
        "spaces": _spaces(),
        "code": (*_CODE, *_URLS),
        "scripts": (*_SCRIPTS, *SENTENCES.values()),
        "forms": _forms(),
        "emoji": (*EMOJI, *(f"a{e}b" for e in EMOJI)),
        "controls": (*CONTROLS, *(f"a{c}b" for c in CONTROLS)),
        "specials": (*_SPECIALS, *(f"say {s} now" for s in _SPECIALS)),
        "singles": ("", *_SINGLES),
        "runs": _runs("a=-#", _RUN_LENGTHS) + _runs("ab\u4e2d\U0001f600", (_LONG_RUN,)),
    }
)
"""The committed set; order and texts are part of evidence keys."""

_LETTERS = "etaoinshrdlucmfwypvbgkqjxz"
_DRAWN: Mapping[str, Field] = {
    "letters": Characters(alphabet=_LETTERS + _LETTERS.upper() + "  ", fewest=1, most=24),
    "digits": Characters(alphabet="0123456789.,- a", fewest=1, most=16),
    "spaces": Characters(alphabet=SPACES + "a.", fewest=1, most=12),
    "punctuated": Characters(
        alphabet="ab1 \n'\"`.,;:!?-_()[]{}<>|/\\@#$%^&*+=~", fewest=1, most=16
    ),
    "scripts": Characters(
        alphabet="a " + "".join(dict.fromkeys("".join((*_SCRIPTS, *SENTENCES.values())))),
        fewest=1,
        most=12,
    ),
    "marks": Characters(alphabet="aeo" + COMBINING + _ACCENTED, fewest=1, most=10),
    "controls": Characters(alphabet="a \n" + CONTROLS, fewest=1, most=10),
    "fragments": Several(
        values=(*_CONTRACTIONS[:14], *_SPECIALS[:18], *EMOJI, " ", "\n", "  ", "12", "a"),
        fewest=2,
        most=6,
    ),
    "sentence": OneOf(values=(*_PROSE, *_SCRIPTS)),
}
"""What strings are drawn from, the simplest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePoints:
    """A text of any code points of the basic plane that are characters, the lowest is simplest."""

    fewest: int
    most: int

    @property
    def expected(self) -> str:
        """The range and the length."""
        return f"{self.fewest} to {self.most} assigned characters up to U+FFFD"

    def drawn(self, below: Below) -> str:
        """A text."""
        size = self.fewest + below(self.most - self.fewest + 1)
        known = _assigned()
        return "".join(known[below(len(known))] for _ in range(size))

    def accepts(self, value: object) -> bool:
        """True for such a text."""
        if not isinstance(value, str):
            return False
        return self.fewest <= len(value) <= self.most and set(value) <= set(_assigned())


@lru_cache(maxsize=1)
def _assigned() -> str:
    """Characters that stood in Unicode 3.2 already: every library's tables agree on what is older.

    Python keeps that version beside its own, so the alphabet is the same on every Python.
    """
    old = unicodedata.ucd_3_2_0
    everything = map(chr, range(0x20, 0xFFFE))
    return "".join(c for c in everything if old.category(c) not in ("Cn", "Cs", "Co"))


def _kind(field: Field) -> Kind:
    def build(params: Mapping[str, object]) -> Question:
        text = params["text"]
        joined = "".join(text) if isinstance(text, list) else str(text)
        return Question(prompt=joined, oracle=Garbage())

    return Kind(fields={"text": field}, build=build)


def _family() -> Family:
    fields = {**_DRAWN, "any": CodePoints(fewest=1, most=8)}
    kinds = {name: _kind(field) for name, field in fields.items()}
    return Family(name="strings", category=Category.COMP, kinds=kinds)


@lru_cache(maxsize=8)
def drawn_texts(seed: int, count: int) -> tuple[str, ...]:
    """`count` different strings, drawn by Hypothesis: the same on every machine for a seed."""
    if not count:
        return ()
    # Hypothesis costs 0.3 s to import.
    drawing = import_module("pytest_modelqa.checks.families.drawing")
    family = _family()
    draw: Callable[..., tuple[object, ...]] = drawing.draw
    return tuple(family.question(e.params).prompt for e in draw(family, seed, count))  # type: ignore[attr-defined]
