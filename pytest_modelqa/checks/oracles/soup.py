"""Token soup: pieces of words that no language puts side by side.

Signs, each a count or a share that the garbage oracle holds against a limit. They need no
dictionary, only the little words that hold every running text together.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise
from typing import NamedTuple

# The commonest function words of languages written in Latin letters, and keywords of programming
# languages: each takes part in a large share of all word pairs of running text in its language.
_LITTLE = """
a about after all also an and any are as at be because been but by can could did do does for from
had has have he her his how i if in into is it its just like may me more most my no not of on one
only or other our out over she so some such than that the their them then there these they this to
up us use was we were what when where which who will with would you your let each between
der die das den dem des ein eine einen einem einer und ist sind nicht mit von zu auf im am für sich
es sie ich wir auch als wie bei nach aus wird werden wurde oder aber dass
le la les un une des du de et est sont que qui dans pour par sur pas ne se ce il elle nous vous au
aux avec sa son ses plus ou mais
el los las una unos unas del y es son que en por para con no se su sus lo al más como pero o
il lo gli uno una di da in con su per tra è sono che non si ha ed della dei delle alla nel
os as um uma do da dos das e é são em no na nos nas por para com não se ao mais
de het een en is zijn van in op te dat die voor met niet er om aan door bij naar
i w na z do się nie jest że o to oraz jak po od dla
och att det som en på är av för med den till inte om har ett de og er at på til ikke av
ve bir bu için ile da de en çok olan olarak ise her ne gibi
ja on ei se että oli ovat hän mutta joka kun niin myös
és az egy nem hogy van meg el ki ez amelyek
yang dan di ini itu untuk dengan pada ke dari tidak adalah
na ya wa ni kwa katika la za cha kama vya
là của và có không một những các cho với được trong người này đã
que et in ad non ut est cum sed
def return import class for if else elif while try except not none true false self public private
static void int str string new const let var function export async await select from where join on
create table insert into values null primary key group order by desc limit default references
"""
LITTLE_WORDS = frozenset(_LITTLE.split())

_LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ]+(?:['\u2019][A-Za-zÀ-ɏ]+)?")
_LETTERS = re.compile(r"[^\W\d_]+")
_JOINT = re.compile(r"[a-zß-ÿ][A-Z]|[A-Z]{2,}[a-z]{2,}")
_CODE = re.compile(r"[{}();=<>|\\$#@\[\]/]|\w\.\w|\":")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")
_MARKER = re.compile(r"^[ \t]*(?:\w{1,3}[.)]|[-*•])[ \t]+|(?<!\w)\w[)]|[:;]['-]?\)", re.MULTILINE)
_CODE_MARKS_PER_WORD = 0.25
_ODD = re.compile(
    r"""
      (?<![\w)\]}>|"'\u2019”»%°…*`])[,;]          # comma with nothing before it
    | [,;](?=[^\W\d])                        # comma that touches the next word
    | (?:^|\s)[.,](?=\s|$)                   # lonely full stop
    | (?<=[^\W\d_])[-\u2013_](?=[\s,.]|$)         # dash that hangs behind a word
    | (?<=[\s,.])[-\u2013_](?=[^\W\d_])           # or before one
    | [.,:;'"_-](?=[,;]) | [,;:](?=[.:;_])   # marks in a row
    | (?<=[a-z])['\u2019")](?=[a-z]{4,})          # quote or bracket inside a word
    | (?<=\s)['\u2019)](?=[\s,.]|$) | \((?=[\s,]|$)
    | [a-z][.!?](?=[A-Za-z])                 # no space after a sentence
    """,
    re.VERBOSE | re.MULTILINE,
)
_GAP = r"[ \xa0]+"
_IMPOSSIBLE = re.compile(
    rf"\b(?:(?:the|an|a){_GAP}(?:the|a|an|is|are|to|of|and|or|in|at|for|by|with|be|was|it)"
    rf"|(?:of|to|in|by|at|for|with|from){_GAP}(?:of|is|are|or|was)"
    rf"|to{_GAP}(?:to|and|in|at)|of{_GAP}(?:to|and|in|at)"
    rf"|(?:is|are|was){_GAP}(?:is|are|was|of)|(?:and|or){_GAP}(?:and|or))\b",
    re.IGNORECASE,
)
_ENGLISH = re.compile(
    r"\b(?:the|an|a|of|to|in|by|at|for|with|from|is|are|was|and|or)\b", re.IGNORECASE
)
_NO_NOUN = r"(?=[ \xa0]*(?:[,.;:)\u2013_-]|\n|(?:of|and|to|in|is|for|or|be|was)\b))"
_DANGLING = re.compile(rf"\b(?:the|an|of){_NO_NOUN}", re.IGNORECASE)
_BINDERS = re.compile(r"\b(?:the|an|of)\b", re.IGNORECASE)
_GLUED = re.compile(r"\b(?:of|the|and|are|by)[A-Z][a-z]+|\b(?:the|of|and){2,}\w*|[a-z]\)[a-z]{2,}")
_LONE = frozenset("()[],.;:\"'") | {",,", "..", "((", "))"}
_SPACED = re.compile(r"\n (?=[^\W\d_])")
_STUTTER = re.compile(r"([^\W\d_]{3,12})\1")


class Share(NamedTuple):
    """How many of how many."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """0 where there is nothing."""
        return self.hits / self.total if self.total else 0.0


def prose(text: str) -> str:
    """The lines that are text: words with spaces, outside of fences, few marks of code."""
    plain = _INLINE.sub("code", _FENCE.sub("\n", text))
    return "\n".join(line for line in plain.splitlines() if _is_prose(line))


def _is_prose(line: str) -> bool:
    words = len(_LETTERS.findall(line))
    return (
        bool(words)
        and " " in line.strip()
        and len(_CODE.findall(line)) <= _CODE_MARKS_PER_WORD * words
    )


def unbound_pairs(text: str) -> Share:
    """Neighbouring Latin words, one space between, neither of them a little word.

    Punctuation and line breaks end a pair, so lists and tables have few.
    """
    words = ((*m.span(), m[0].lower() in LITTLE_WORDS) for m in _LATIN_WORD.finditer(text))
    pairs = unbound = 0
    for (_, end, left_binds), (start, _, right_binds) in pairwise(words):
        if start == end + 1 and text[end] == " ":
            pairs += 1
            unbound += not (left_binds or right_binds)
    return Share(unbound, pairs)


def joined_words(text: str) -> Share:
    """Latin words with a capital inside ("LegCompancrow", "ACitsBE")."""
    words = [m[0] for m in _LATIN_WORD.finditer(text)]
    return Share(sum(bool(_JOINT.search(w)) for w in words), len(words))


def odd_marks(text: str) -> Share:
    """Punctuation where no writer puts it (",-", "of,.the", " ."), per word."""
    return Share(len(_ODD.findall(text)), len(_LETTERS.findall(text)))


def dangling_words(text: str) -> Share:
    """English "the", "an", "of" before a stop, a line's end or a word that cannot follow."""
    return Share(len(_DANGLING.findall(text)), len(_BINDERS.findall(text)))


def impossible_pairs(text: str) -> Share:
    """English function words that cannot follow each other ("the of", "to is"), of all of them."""
    return Share(len(_IMPOSSIBLE.findall(text)), len(_ENGLISH.findall(text)))


def glued_words(text: str) -> int:
    """English function words that run into the next word ("byQueue", "thethei", "as)us")."""
    return len(_GLUED.findall(_INLINE.sub("code", _FENCE.sub("\n", text))))


def lone_symbols(text: str) -> Share:
    """Stops, quotes and brackets with white space at both sides, of all that stands so."""
    pieces = text.split()
    return Share(sum(p in _LONE for p in pieces), len(pieces))


def spaced_lines(text: str) -> int:
    """Lines that begin with one space and a word: tokens of mid-sentence after a line break."""
    return len(_SPACED.findall(text))


def stuttering_words(text: str) -> Share:
    """Words that repeat a part of three or more letters at once ("shotsshots", "isedised")."""
    words = [w for w in _LETTERS.findall(text) if len(w) > 1]
    return Share(sum(bool(_STUTTER.search(w)) for w in words), len(words))


def mixed_scripts(text: str) -> Share:
    """Words of letters that mix scripts ("mainstreamди")."""
    words = [w for w in _LETTERS.findall(text) if len(w) > 1]
    return Share(sum(len(_scripts(w)) > 1 for w in words), len(words))


def unopened_brackets(text: str) -> int:
    """Closing brackets beyond the opening ones, list markers and smileys aside."""
    plain = _MARKER.sub("", text)
    return max(plain.count(close) - plain.count(opener) for opener, close in ("()", "[]", "{}"))


def _scripts(word: str) -> set[str]:
    return {_script(c) for c in word} - {""}


# Japanese writes three scripts in one word, Korean adds Chinese characters.
_EAST = {"CJK": "EAST", "HIRAGANA": "EAST", "KATAKANA": "EAST", "HANGUL": "EAST"}


@cache
def _script(letter: str) -> str:
    """The first word of the character's Unicode name; marks and modifiers belong to any script."""
    if unicodedata.category(letter) not in ("Lu", "Ll", "Lt", "Lo"):
        return ""
    first = unicodedata.name(letter, "").split(" ", 1)[0].split("-", 1)[0]
    return _EAST.get(first, "" if first in ("MICRO", "FEMININE", "MASCULINE") else first)
