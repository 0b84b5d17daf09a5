"""Requests that come in two kinds and differ in one phrase: with it a rule is broken, or kept.

Whole sentences teach a rule's topic; only such pairs teach what decides. Training alone draws from
here: the hold-out, and the prompts of the ship gates, ask in sentences of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.synth.draw import Draw
from training.synth.sets.contrast_words import ACTS, JOBS, KEY_FILES, PARTS, SECRETS, SETUPS, VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Frames with `$way`, which is filled from `broken` or from `kept`; `$other` is of the other.

    `$what` is drawn from `what`. Frames of `only_kept` are right whatever stands in them.
    """

    frames: Sequence[str]
    broken: Sequence[str]
    kept: Sequence[str]
    what: Sequence[str] = ("$entity",)
    only_kept: Sequence[str] = ()


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


CONTRASTS: Mapping[str, Sequence[Contrast]] = {
    "vitest": (
        Contrast(
            frames=(
                "use $way for $what", "take $way for $what", "write $what with $way",
                "$what should run on $way", "set up $way for $what", "$way, not $other, for $what",
                "replace $other by $way in $what", "move $what from $other to $way",
                "port $what from $other to $way", "I want $what in $way", "add $way to $entity",
                "could $what be done in $way", "show $what with $way", "drop $other, take $way",
                "let $what use $way", "convert $what to $way", "we test $what with $way",
                "why not $way for $what? Use it", "install $way for $entity",
                "choose $way instead of $other", "I know $other, but do $what with $way",
                "no $other any more: $way for $what", "begin $what in $way",
            ),
            broken=("Jest", "jest", "ts-jest", "the Jest runner", "Jest again", "plain Jest"),
            kept=("Vitest", "vitest", "Vitest only", "the Vitest runner", "Vitest again"),
            what=(
                "the tests", "the tests of $entity", "a test of $entity", "the mocks of $partner",
                "the snapshots", "the suite of $entity", "the timers", "the coverage", "our specs",
                "the unit tests", "the whole project", "the new tests of $person", "$entity",
            ),
            only_kept=(
                "remove $other from $entity", "delete the last $other file", "get rid of $other",
                "explain to $role why $what does not use $other", "take $other out of $what",
                "why do we have $way and no $other", "uninstall $other",
            ),
        ),
        Contrast(
            frames=(
                "mock $what with $way", "put $way into the tests of $entity", "use $way here",
                "replace $other by $way", "call $way for $what", "write $way and not $other",
                "show how $what is faked by $way", "fake $what: $way", "let the test use $way",
                "could you stub $what with $way", "in $entity, $other becomes $way",
            ),
            broken=("jest.fn", "jest.mock", "jest.spyOn", "jest.useFakeTimers", "jest.config.ts"),
            kept=("vi.fn", "vi.mock", "vi.spyOn", "vi.useFakeTimers", "vitest.config.ts"),
            what=("$partner", "$entity", "the clock", "the network", "the file system", "it"),
        ),
    ),
    "automation": (
        Contrast(
            frames=(
                "do $what $way", "run $what $way", "$what: $way, please", "$what $way",
                "I want $what done $way", "handle $what $way", "let us do $what $way",
                "from now on, $what $way", "$person does $what $way, help with it",
                "show me how $what is done $way", "can we do $what $way", "finish $what $way",
                "$what, $way and not $other", "it is late, do $what $way", "$what today $way",
                "change $what: $way instead of $other", "$what should go $way", "repeat $what $way",
            ),
            broken=(
                "by hand", "manually", "by copy and paste", "with the mouse", "file by file",
                "on the server itself", "without a script", "step by step by hand", "in an editor",
                "by drag and drop", "over the console, each time", "one after the other by hand",
                "with my own hands", "by clicking", "without any automation", "in the live system",
            ),
            kept=(
                "with a script", "by a job", "in the pipeline", "automatically", "by the build",
                "with one command", "by a scheduled task", "with automation", "from a script",
                "without any manual step", "with a reviewed script", "by a bot", "on a schedule",
                "by a tool that we run", "in the build", "with no manual work", "by a cron job",
            ),
            what=JOBS,
        ),
        Contrast(
            frames=(
                "$way $what", "$way $what, please", "$way $what before $meeting",
                "we should $way $what", "I want you to $way $what", "help $person to $way $what",
                "let's $way $what", "it is best to $way $what", "$role asks us to $way $what",
                "would you $way $what", "this time $way $what", "next, $way $what",
            ),
            broken=(
                "manually", "use your hands to", "by hand,", "click through it to",
                "ask $person to",
                "skip the script and", "log in on the server to", "forget the job and manually",
                "stop the automation and", "open an editor there to", "use copy and paste to",
                "let $person manually",
            ),
            kept=(
                "write a script to", "add a job to", "let a job", "automatically", "make the build",
                "write a job that can", "use the pipeline to", "let a script", "program a task to",
                "schedule a task to", "have the build", "use a script to", "create a tool to",
                "add a build step to", "let the pipeline", "extend the script to",
            ),
            what=VERBS,
        ),
        Contrast(
            frames=(
                "$way $what", "$way $what for $role", "please $way $what", "we $way $what today",
                "I say: $way $what", "$person wants to $way $what", "today we $way $what",
            ),
            broken=(
                "do by hand", "handle manually", "keep manual", "type in", "stop automating",
                "do without a script", "click through", "leave to $person by hand",
            ),
            kept=(
                "automate", "script", "schedule", "put into a script", "turn into a job",
                "let the build do", "let a job do", "leave to the pipeline", "fully automate",
                "no longer do by hand but automate", "write a job for", "write a script for",
            ),
            what=JOBS,
        ),
    ),
    "secrets": (
        Contrast(
            frames=(
                "put $what into $way", "store $what in $way", "keep $what in $way",
                "save $what to $way", "write $what into $way", "$what belongs in $way",
                "here is $what, put it into $way", "move $what from $other to $way",
                "$entity finds $what in $way", "place $what in $way",
                "let $entity read $what from $way",
                "load $what from $way", "add $what to $way", "I left $what in $way, is that fine",
                "copy $what to $way", "$what goes to $way and not to $other",
                "take $what from $way",
            ),
            broken=(
                "the source", "a constant", "the code", "the repository", "the README", "config.ts",
                "the tests", "a comment", "the class $entity", "a public file", "package.json",
                "the commit", "the URL", "the page itself", "index.ts", "the sample data",
                "the JSON file in the repository", "the chat", "the constructor", "the log",
            ),
            kept=(
                "an environment variable", "a vault", "the vault", "the environment", "process.env",
                "the secret store", "the key manager", "the password manager", "the key store",
                "a store outside the repository", "the pipeline's secrets", "the secret manager",
            ),
            what=SECRETS,
            only_kept=(
                "take $what out of $other", "remove $what from $other", "delete $what in $other",
                "search $other for $what and remove it", "check that $other does not hold $what",
                "make sure that $what is not in $other", "replace $what in $other by a variable",
                "clean $other of $what", "$what must never be in $other, check that",
                "who put $what into $other? Move it to $way",
            ),
        ),
        Contrast(
            frames=(
                "$way $what", "$way $what in $entity", "please $way $what", "$way $what for $role",
                "let $entity $way $what", "it would help to $way $what", "could you $way $what",
                "$person wants to $way $what", "we have to $way $what",
                "$way $what before $meeting",
            ),
            broken=(
                "log", "print", "commit", "publish", "hard-code", "push", "e-mail", "expose",
                "show everybody", "write to the console", "check in", "echo", "paste into the code",
                "type into the source", "post", "print for debugging", "log in plain text",
            ),
            kept=(
                "mask", "rotate", "revoke", "encrypt", "protect", "renew", "never print", "guard",
                "hide from the log", "document how to get", "not commit",
                "remove from the history of",
                "explain where to keep", "say where we keep", "change", "keep out of the log",
                "tell $role how to rotate", "test that $entity never logs",
            ),
            what=SECRETS,
        ),
        Contrast(
            frames=(
                "$way $what", "please $way $what", "$way $what, $person needs it",
                "$way $what for $role", "could you $way $what before $meeting",
                "I want to $way $what", "we should $way $what now", "next, $way $what",
                "let us $way $what", "$person says: $way $what", "$way $what and all is well",
            ),
            broken=(
                "push", "upload", "put under version control", "add to git", "hand round",
                "share with everybody", "publish", "stage and commit", "send to the whole team",
                "add to the repository", "put into the repository", "track in git",
            ),
            kept=(
                "ignore in git", "list in .gitignore", "keep out of git", "untrack", "not commit",
                "delete from the repository", "keep on this machine only", "add to .gitignore",
                "take out of version control", "never commit", "leave out of the commit",
                "exclude from the build", "remove from git",
            ),
            what=KEY_FILES,
        ),
        Contrast(
            frames=(
                "settings.ts wants $what $way", "$what in $entity.ts comes $way",
                "let login.ts take $what $way", "$entity.ts gets $what $way",
                "in mailer.ts, load $what $way", "give gateway.ts $what $way",
                "set $what $way in $entity.ts", "fetch $what $way in server.ts, not $other",
                "index.ts needs $what: take it $way", "in $entity.ts I want $what $way",
                "load $what $way in $entity.ts", "$what $way, in upload.ts",
            ),
            broken=(
                "as a constant", "as a literal", "as plain text", "as a string in the code",
                "hard-coded", "from a line of the source", "in clear text", "as a fixed text",
                "as a default value in the code", "written into the code", "from a const",
            ),
            kept=(
                "from the environment", "from a vault", "out of process.env", "from the vault",
                "through an environment variable", "from the secret store", "by the key manager",
                "as an environment variable", "from the environment only", "from process.env",
            ),
            what=SECRETS,
        ),
        Contrast(
            frames=(
                "the messages of $entity should $way $what", "$way $what in the trace of $entity",
                "let the log of $entity $way $what", "$way $what wherever $entity logs",
                "in all output, $way $what", "$entity has to $way $what in errors",
                "the debug output should $way $what", "$way $what in what $entity prints",
            ),
            broken=(
                "show", "print", "contain", "write out", "include", "spell out", "repeat", "have",
                "keep readable", "record",
            ),
            kept=(
                "hide", "redact", "cut out", "blank out", "leave out", "never show",
                "star out", "obscure", "suppress",
            ),
            what=SECRETS,
        ),
    ),
    "pdca": (
        Contrast(
            frames=(
                "$way $what", "$way $what this time", "please $way $what", "we can $way $what",
                "for $entity, $way $what", "$person says to $way $what", "$way $what for $entity",
                "we are late, so $way $what", "let us $way $what", "just $way $what",
                "I want to $way $what", "$way $what before $meeting", "today we $way $what",
                "it is a small change: $way $what", "could you $way $what", "next: $way $what",
            ),
            broken=(
                "skip", "leave out", "drop", "forget", "ignore", "omit", "fake", "make up",
                "delete",
                "do without", "throw away", "leave empty", "not write", "cut", "never write",
                "fill with TBD in", "put placeholders into", "pretend to have done", "copy blindly",
                "invent", "write nothing into", "postpone for ever", "bypass", "not bother with",
            ),
            kept=(
                "complete", "write", "review", "check", "explain", "improve", "finish", "keep",
                "correct", "discuss", "add", "begin with", "fill in", "read", "update", "follow",
                "not skip", "never leave out", "take time for", "help me with", "clarify", "verify",
                "not forget", "add evidence to", "fix the wording of", "look at", "do",
            ),
            what=PARTS,
        ),
        Contrast(
            frames=(
                "$what $way", "please $what $way", "let us $what $way", "can we $what $way",
                "today we $what $way", "$person wants to $what $way", "I would $what $way",
                "it is small: $what $way", "this time, $what $way", "just $what $way",
            ),
            broken=(
                "without a PDCA", "without a plan", "without a check", "without the process",
                "and skip the process", "with an empty PDCA", "with TBD in each section",
                "first and plan never",
                "and leave the Check section empty", "and forget the PDCA", "with made-up evidence",
                "and write the PDCA never", "without links", "with no verification",
            ),
            kept=(
                "with a PDCA", "with a plan", "with a check at the end", "by the process",
                "and follow the process", "with a complete PDCA", "with all five sections",
                "after the plan", "and fill the Check section", "and keep the PDCA up to date",
                "with real evidence", "and write the PDCA first", "with both links",
                "although it is small, with the whole process",
            ),
            what=(
                "change $entity", "ship $entity", "release $entity", "begin $entity", "build it",
                "repair $entity", "do this task", "merge the change", "close the task",
                "rewrite $entity", "add the feature", "finish $entity", "start the work",
            ),
        ),
        Contrast(
            frames=(
                "$way $what", "please $way $what", "we $way $what today", "$way $what for $role",
                "$person says: $way $what", "can you $way $what before $meeting",
                "$way $what, it is late", "in $meeting we $way $what",
            ),
            broken=(
                "close unverified", "declare finished without a look at", "tick off unchecked",
                "approve unread", "sign without checking", "call done, untested as it is,",
                "set to done without any evidence for", "accept without verification",
            ),
            kept=(
                "verify before we close", "check the evidence of", "read and then approve",
                "test first and then tick off", "close, now that it is verified,",
                "go through the evidence of", "put the last change into",
                "write the reference into", "add the missing part to", "enter the number in",
            ),
            what=PARTS,
        ),
    ),
    "constructor": (
        Contrast(
            frames=(
                "$what should $way", "let $what $way", "$what has to $way", "make $what $way",
                "I want $what to $way", "from today $what must $way", "$what shall $way",
                "see that $what can $way", "change $what so that it will $way",
            ),
            broken=(
                "do the setup", "open the connection", "start everything", "fill the fields",
                "do all the work", "prepare everything", "load what is needed", "do some work",
                "begin the polling", "connect at once", "run the checks", "set a timer",
            ),
            kept=(
                "stay without code", "be without any work", "have no code", "remain empty",
                "do no work", "contain no logic", "only call super()", "be a plain shell",
                "have an empty body", "do none of the setup", "do not a thing", "stay idle",
            ),
            what=(
                "new $entity()", "the constructor", "the constructor of $entity", "constructor()",
                "its constructor", "a call of new $entity()",
            ),
        ),
        Contrast(
            frames=(
                "let $way $what", "have $way $what", "make $way $what", "$way should $what",
                "$way has to $what", "I want $way to $what", "write $way so that it can $what",
                "$what in $way", "please $what in $way", "$what in $way and not in $other",
                "could $way $what", "add code to $way to $what", "show how to $what in $way",
                "$way, not $other, should $what", "do this: $what, in $way", "teach $way to $what",
                "give $entity $way: it shall $what",
            ),
            broken=(
                "the constructor", "its constructor", "a constructor", "the constructor of $entity",
                "new $entity()", "the new constructor", "this constructor", "constructor()",
            ),
            kept=(
                "init()", "its init()", "an init() method", "init() of $entity",
                "the init() method",
                "the method init()", "init(scenario)", "its init() method", "a call of init()",
            ),
            what=ACTS,
        ),
        Contrast(
            frames=(
                "put $what into $way", "move $what from $other to $way", "do $what in $way",
                "give $what to $way", "$what belongs in $way", "place $what in $way",
                "shift $what to $way", "$what goes into $way", "I need $what in $way",
                "copy $what from $other into $way", "leave $what to $way", "keep $what in $way",
                "write $what into $way", "add $what to $way", "fill $way with $what",
            ),
            broken=(
                "the constructor", "its constructor", "the constructor of $entity", "a constructor",
                "new $entity()", "the body of the constructor",
            ),
            kept=(
                "init()", "the init() method", "init() of $entity", "its init()",
                "the method init()",
                "a method after the empty constructor",
            ),
            what=SETUPS,
            only_kept=(
                "take $what out of $other", "remove $what from $other",
                "empty $other: no $what there",
                "clear $other of $what", "$other should do nothing, so free it of $what",
                "keep $other empty", "$other must stay empty", "check that $other is empty",
                "why is $what not in $other? Explain", "get $what out of $other",
            ),
        ),
    ),
}  # fmt: skip
