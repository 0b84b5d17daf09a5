"""What a sentence of a process document does: name an action, give proof, draw a lesson.

The rules are lists of words, so they are rough: they tell "Added 12 tests for OrderStore" from
"Worked on it", not a true claim from a false one.
"""

from __future__ import annotations

import re

from pytest_modelqa.checks.oracles import documents
from pytest_modelqa.checks.oracles.documents import Block

MIN_OBJECTS = 2
"""Words of an action besides its verb that say what was acted on."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d`])")
_VAGUE = frozenset(
    documents.split(
        "a about above accordingly again all also an and any anything are as at be been being "
        "best better by can did do does doing done even everything etc few finally first for from "
        "further get good got had handle handled has have hard he help here how i if improvement "
        "improvements in into is it its just lot lots made make many more most much necessary "
        "need needed needs next no not now of on one or other our out over planned required "
        "results she so some something steps stuff such task tasks than that the their them then "
        "there these they thing things this those to tried try trying up us various very was we "
        "well were what when where which while will with work worked working works would you your "
        "several should could might may maybe properly whatever way ways started finished "
        "completed continued"
    )
)
_IRREGULAR = frozenset(
    documents.split(
        "wrote ran built split put took found set cut kept gave sent read drew chose brought "
        "began bound broke made let held hid led left lost met paid rebuilt reran reset sold shut "
        "spent taught told thought threw undid understood rewrote overwrote"
    )
)
_IMPERATIVE = frozenset(
    documents.split(
        "add adapt adjust agree align analyse analyze apply archive ask assign audit automate "
        "back bind build call change check choose clean close collect commit compare compile "
        "configure confirm connect convert copy correct count cover create cut debug decouple "
        "define delete deploy describe design disable divide document draft drop edit enable "
        "encode encrypt export extend extract filter fix format freeze generate group guard "
        "implement import index inject inspect install instrument integrate introduce invite "
        "isolate limit link list load lock log map mark mask measure merge migrate mock monitor "
        "move name normalise normalize open order override parse patch pin plot prepare print "
        "profile protect prove publish pull push query rebuild record reduce refactor register "
        "release remove rename render reorder repeat replace replay reproduce rerun reset resolve "
        "restart restore revert review rewrite roll rotate run sample save scan schedule script "
        "search send separate serialise serialize set share simplify simulate sort split start "
        "stop store stub switch sync tag test trace train translate trim tune undo unify update "
        "upgrade upload validate verify version warn wire wrap write"
    )
)
_PAST = re.compile(r"[a-z]{2,}(?:ed|ied)")
_NO_PAST = frozenset(
    documents.split("based feed hundred indeed named need related seed speed used")
)
_PROOF = re.compile(
    r"\b(?:verif\w*|test(?:s|ed)?|pass(?:es|ed|ing)?|confirm\w*|check(?:s|ed)?|measur\w*|"
    r"compar\w*|equals?|prove[dns]?|proofs?|evidence|observ\w*|reproduc\w*|repeated|green|"
    r"no(?: \w+)? (?:errors?|warnings?|regressions?|failures?|differences?)|no longer|matche[sd]|"
    r"review(?:s|ed)|accept(?:s|ed)|succe\w*|asserts?|asserted|validat\w*|inspect\w*|coverage|"
    r"benchmark\w*|exit code|the log(?:s)? shows?|works?(?: as)? (?:expected|with|on|for)|"
    r"restored|loads?|renders?|returns?)\b",
    re.IGNORECASE,
)
_LESSON = re.compile(
    r"\b(?:learn\w*|lessons?|insights?|improv\w*|next time|from now on|in (?:the )?future|"
    r"standard\w*|adopt\w*|adapt\w*|add(?:s|ed)?|keep|kept|shar(?:e|ed|ing)|avoid\w*|always|"
    r"never|instead|automat\w*|record(?:s|ed)?|document(?:s|ed)?|updat\w*|extend\w*|"
    r"introduc\w*|establish\w*|appl(?:y|ies|ied)|repeat|earlier|sooner|habit|rule|checklist|"
    r"next cycle|follow-up|change how|stop (?:doing|using|\w+ing)|start (?:doing|using|\w+ing)|"
    r"should have|better)\b",
    re.IGNORECASE,
)
_HOLLOW = re.compile(
    r"\bno(?:thing)?\s+(?:(?:to|new|real|much|more|further|other|particular|specific|is|was|were|"
    r"has|have|had|been|be|needs?|of)\s+){0,4}(?:learn\w*|lessons?|improv\w*|chang\w*)\b",
    re.IGNORECASE,
)
_CHECKED = r"(?:test|verifi|check|confirm|measur|compar|review|validat|inspect|observ)ed|proven?"
_UNPROVEN = re.compile(
    r"\b(?:nothing|none|not|never|nobody|yet to be)\s+"
    r"(?:(?:has|have|had|been|was|were|is|be|yet|being|of|it|this|them)\s+){0,4}"
    rf"(?:{_CHECKED})\b(?:\s*(?:,|or|and|nor)\s+(?:{_CHECKED})\b)*",
    re.IGNORECASE,
)


def statements(block: Block) -> list[str]:
    """What a block says: an item or a row as it is, a paragraph by sentences. Placeholders out."""
    if block.kind in ("heading", "code", "quote"):
        return []
    parts = _SENTENCE.split(block.text) if block.kind == "text" else [block.text]
    return [part for part in parts if not documents.is_placeholder(part)]


def is_action(said: str) -> bool:
    """Whether a statement has a verb of doing, and says what it was done to."""
    found = documents.split(said)
    verbs = [w for i, w in enumerate(found) if _is_verb(w, leading=i == 0)]
    things = {w for w in found if w not in _VAGUE} - set(verbs[:1])
    return bool(verbs) and len(things) >= MIN_OBJECTS


def is_proof(said: str, *, ticked: bool) -> bool:
    """Whether a statement is a verification: a ticked box of three words, or a word of proof.

    That nothing was tested is none.
    """
    if len(documents.split(said)) < MIN_OBJECTS + 1:
        return False
    return ticked or bool(_PROOF.search(_UNPROVEN.sub(" ", said)))


def is_lesson(said: str) -> bool:
    """Whether a statement says what was learned, or what is done differently from now on."""
    if len(documents.split(said)) < MIN_OBJECTS + 1 or _HOLLOW.search(said):
        return False
    return bool(_LESSON.search(said))


def _is_verb(word: str, *, leading: bool) -> bool:
    word = word.rpartition("-")[2]
    if word in _VAGUE or word in _NO_PAST:
        return False
    return (leading and word in _IMPERATIVE) or word in _IRREGULAR or bool(_PAST.fullmatch(word))
