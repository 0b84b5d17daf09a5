"""Pairs about what stands in the code: test runner, secrets, constructors."""

from __future__ import annotations

from collections.abc import Sequence

from training.synth.sets.contrast import Contrast
from training.synth.sets.contrast_words import ACTS, KEY_FILES, SECRET_THINGS, SETUPS

VITEST: Sequence[Contrast] = (
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
)  # fmt: skip

SECRETS: Sequence[Contrast] = (
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
        what=SECRET_THINGS,
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
        what=SECRET_THINGS,
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
        what=SECRET_THINGS,
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
        what=SECRET_THINGS,
    ),
    Contrast(
        frames=(
            "get $what $way", "bring $what $way", "$what has to go $way", "move $what $way",
            "with the next commit, $what goes $way", "see that $what gets $way",
            "$person wants $what $way", "take $what $way, please", "$what: $way with it",
            "put $what $way before $meeting", "I would like $what $way", "$what $way, not $other",
        ),
        broken=(
            "into git", "into the repository", "into version control", "onto the web server",
            "into the commit", "onto the main branch", "into the pull request", "into the archive",
            "into the public folder", "into the package", "into our git history",
        ),
        kept=(
            "out of git", "out of the repository", "into the vault", "off the web server",
            "out of the commit", "into .gitignore", "into the secret store", "out of the package",
            "into the key store", "out of version control", "out of the public folder",
        ),
        what=KEY_FILES,
    ),
)  # fmt: skip

CONSTRUCTOR: Sequence[Contrast] = (
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
    Contrast(
        frames=(
            "$what in $way makes $other needless", "save us $other by $what in $way",
            "$what in $way, then delete $other", "$way does $what, so that $other can go",
            "extend $way by $what and save us $other", "away with $other: $what in $way",
            "write more into $way, $what for instance, and spare $other",
            "I do not like $other, so add $what to $way", "$way is the place for $what",
        ),
        broken=(
            "the constructor", "its constructor", "the constructor of $entity", "constructor()",
        ),
        kept=("init()", "its init()", "the init() method", "init() of $entity"),
        what=SETUPS,
        only_kept=("$other stays as empty as it is, $what is in $way",),
    ),
)  # fmt: skip
