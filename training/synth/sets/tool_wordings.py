"""What can be asked of a tool, put together of verb, object and ending. Training alone has these.

Files and folders have many names here, so that a path is copied and not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.synth.draw import Draw

FOLDERS = (
    "lib", "docs", "public", "assets", "server", "client", "src/api", "src/db", "src/jobs",
    "src/ui/forms", "test/unit", "test/e2e", ".vscode", ".config/app", "examples", "migrations",
    "locales", "styles", "src/layer4", "backend/core", "frontend/app", "shared/types", "bin",
    "data", "build/tasks", "src", "src/layer1", "spec", "infra/staging", "vendor", "test",
    "src/services/mail", "packages/cli", "benchmarks", "tmp/cache", "notes", "src/domain/orders",
)  # fmt: skip
STEMS = (
    "index", "main", "utils", "money", "string-tools", "user_list", "setup", "app", "router",
    "store", "math", "format", "auth", "logger", "cache", "types", "worker", "helpers", "mail",
    "time", "parse_args", "http-client", "orders", "theme", "i18n", "Button", "config.local",
)  # fmt: skip
FILES = (
    "tsconfig.json", "README.md", "LICENSE", ".gitignore", ".env.example", "Dockerfile",
    "CODEOWNERS",
    "vite.config.ts", "CHANGELOG.md", "Makefile", ".editorconfig", "docs/setup.md", ".npmrc",
    "vitest.config.ts", "src/index.ts", "docs/guide/start.md", "data/prices.csv", ".prettierrc",
    "notes/todo.md", "index.html", "logs/app.log", "build.log", "src/main.css", "robots.txt",
)  # fmt: skip
COMMANDS = (
    "ls -la", "pwd", "df -h", "npm start", "git fetch", "git pull --rebase", "docker ps", "make",
    "make clean", "npm ls", "git stash list", "npx eslint .", "npx prettier --check .", "git show",
    "npm run typecheck", "npm pack --dry-run", "git log -3", "npm --version", "git remote -v",
    "npm run start:dev", "npx tsc -p .", "date", "whoami", "npm view vite version", "git tag",
    "node build.js", "npm run clean", "docker compose up -d", "git diff HEAD~1", "npm doctor",
)  # fmt: skip
QUERIES = (
    "fetch(", "await", "setTimeout", "localStorage", "FIXME", "$entity.create", "v1/api", "<div",
    "interface", "@ts-ignore", "moment", "color: red", "return null", "as any", "new Date(",
    "innerHTML", "super()", "$entity__kebab", "private ", "Math.random", "axios", "$partner",
    "async ", "import type", "=> {", "enum ", "0.5", "http://", "eslint-disable", "readonly",
)  # fmt: skip
TEXTS = (
    "hello", "version 1", "draft", "node_modules", "work in progress", "see the wiki", "MIT",
    "port 8080", "the number $count", "ask $person", "$goal", "made for $role", "dist",
    "empty so far",
    "engine-strict=true", "what we decided", "$property", "nothing yet", "$count", "UTF-8",
)  # fmt: skip

Parts = tuple[Sequence[str], Sequence[str], Sequence[str]]
"""Beginnings, objects, endings."""

_ENDS = (".", ".", ".", ", please.", " now.", ", would you?", " for me.", " first.", "")
_WHY = (
    ".",
    ".",
    ", please.",
    ", it is obsolete.",
    ", it was a test.",
    ", we have another one.",
    "",
)
_FILE = ("$path", "the file $path", "the file $path", "file $path")
_IN = (" in $folder", " under $folder", " below $folder", " inside $folder", " within $folder")
_FIND = (
    "Search for", "Find", "Look for", "Grep", "Locate", "Seek", "Look up", "I am looking for",
    "List files with", "Which files have", "Where do we have", "Show the lines with", "Trace",
    "Do we have", "Where does one find", "Search the text", "Who has", "Which code holds",
)  # fmt: skip
_NEEDLE = ("'$query'", "the text '$query'", "every '$query'", "uses of '$query'", "any '$query'")

WORDINGS: Mapping[str, Sequence[Parts]] = {
    "read": (
        (
            (
                "Read", "Open", "Show", "Print", "View", "Get", "Load", "Fetch", "Present",
                "Output",
                "I want to read", "I must see", "Let us look at", "Could you show", "Bring me",
                "Would you open", "We need to see", "Give me", "Show me", "Take a look at",
                "Return",
                "What is in", "Tell me what is in", "I have to know", "Let us read", "I would read",
            ),
            (*_FILE, "the content of $path", "the text of $path", "all of $path",
            "the lines of $path"),
            _ENDS,
        ),
    ),
    "create": (
        (
            (
                "Create", "Make", "Write", "Add", "Start", "Generate", "Set up", "Prepare",
                "Produce",
                "Let us have", "We want", "I need", "Please create", "Bring into being", "Save",
            ),
            ("the file $path", "a file $path", "a new file $path", "$path"),
            (
                " with the class $entity.", " for the class $entity.", " that declares $entity.",
                " containing a class $entity.", " and declare $entity in it.",
                ", class $entity in it.",
                " where $entity is declared.", " with an empty class $entity.", " for $entity.",
            ),
        ),
    ),
    "create-text": (
        (
            (
                "Create", "Make", "Write", "Add", "Start", "Save", "Set up", "Prepare", "I need",
                "Please create", "Let us have", "Put down",
            ),
            ("the file $path", "a file $path", "a new file $path", "$path"),
            (
                " with the text '$text'.", " that holds '$text'.", " with '$text' in it.",
                ", containing '$text'.", "; it says '$text'.", " with the content '$text'.",
                " and write '$text' into it.", ". Content: $text",
            ),
        ),
    ),
    "edit": (
        (
            ("Change", "Rename", "Turn", "Convert", "Alter", "Modify", "Make", "Correct", "Switch"),
            ("$old into $new", "$old to $new", "the name $old to $new", "each $old to $new"),
            (" in $path.", " in the file $path.", " inside $path.", ", file $path.", " ($path)."),
        ),
        (
            ("Replace", "Overwrite", "Exchange", "Swap out", "Please replace", "We replace"),
            ("$old with $new", "the old $old by $new", "the word $old by $new", "all $old by $new"),
            (" in $path.", " in the file $path.", " within $path.", ", and do it in $path."),
        ),
        (
            ("In $path", "In the file $path", "Within $path", "For $path", "File $path"),
            (": $old -> $new", ", use $new for $old", ", $old is wrong, write $new",
             ": $new, not $old",
             ", set $new in place of $old", ", turn $old into $new"),
            (".", ", please.", " everywhere.", ""),
        ),
        (
            ("Use $new instead of $old", "$new is right and $old is wrong",
             "$old is called $new now",
             "It must read $new and not $old", "The name is $new, no longer $old"),
            (" in $path", ", in $path", "; the file is $path", "; edit $path", ", change $path"),
            (".", ", please.", ""),
        ),
    ),
    "delete": (
        (
            (
                "Delete", "Remove", "Erase", "Drop", "Discard", "Throw away", "Wipe", "Clear away",
                "Get rid of", "Unlink", "Purge", "I want to delete", "We should remove", "Cut",
                "You can delete", "Please remove", "Let us drop", "Trash", "We do not want", "Kill",
            ),
            (*_FILE, "the old file $path", "the unused $path", "our $path"),
            _WHY,
        ),
        (
            ("$path", "The file $path"),
            (" can be deleted", " has to go", " should be removed", " is not needed",
             " is superfluous",
             " is unused, delete it", " was a mistake, remove it", " must be erased"),
            _ENDS,
        ),
    ),
    "list": (
        (
            (
                "List", "Show", "Print", "Name", "Give me", "Tell me", "Enumerate", "I want to see",
                "I need", "What are", "Display", "Report", "Let me know", "Get", "Could you list",
                "ls",
            ),
            (
                "the files in $folder", "all files of $folder", "the content of the folder $folder",
                "the entries of $folder", "everything in $folder", "the files that are in $folder",
                "the names of the files in $folder", "the files under $folder",
            ),
            _ENDS,
        ),
    ),
    "search": (
        (_FIND, _NEEDLE, (*_ENDS, " in the code.", " in all files.", " in the project.",
        " anywhere?")),
    ),
    "search-in": (
        (_FIND, tuple(n + place for n in _NEEDLE for place in _IN), (".", "?", ", please.", "",
        " only.")),
        (
            ("In $folder", "Inside $folder", "Within $folder", "Folder $folder", "Under $folder"),
            (", find", ", look for", ", search for", ", where is", ": which files have",
            ", locate"),
            (" '$query'.", " '$query'?", " the text '$query'.", " '$query', please."),
        ),
        (
            ("'$query': where", "'$query', who uses it", "'$query'? Search", "'$query': how often"),
            _IN,
            (".", "?", ", please.", " alone.", ", nowhere else."),
        ),
        (
            ("Go through $folder", "Scan $folder", "Comb $folder", "$folder only",
             "Stay in $folder"),
            (" for", " and find", ": who has", ": find", " and list"),
            (" '$query'.", " each '$query'.", " all of '$query'.", " lines with '$query'."),
        ),
    ),
    "run": (
        (
            (
                "Run", "Execute", "Start", "Launch", "Call", "Invoke", "Do", "Please run", "Enter",
                "We need", "I want", "Let us run", "Perform", "Try", "Go ahead with",
                "Would you run",
            ),
            ("$command", "`$command`", "the command $command", "the command `$command`",
             "`$command`"),
            (*_ENDS, " in the shell.", " on the command line.", " in the project folder."),
        ),
        (("$ ", "shell: ", "Command: ", "terminal: "), ("$command",), ("",)),
    ),
    "tests": (
        (
            ("Run", "Execute", "Start", "Check", "Launch", "Repeat", "Try", "Do", "I want to run",
             "Use"),
            ("the tests in $path", "the test file $path", "the tests of $path",
             "the specs in $path",
             "the test $path", "all tests of $path", "the suite $path"),
            (*_ENDS, " and tell me the result.", " again.", ", I changed something.",
            " once more."),
        ),
        (
            ("Does", "I wonder whether", "Tell me if", "Find out whether", "Do we know if",
             "Say if"),
            (" $path", " the suite $path", " the test file $path"),
            (" passes.", " is still green.", " works now.", " fails.", " runs through."),
        ),
    ),
}  # fmt: skip
XML = (
    "XML, please.", "As XML.", "I want an XML call.", "Use XML tags.", "In XML format.", "XML!",
    "The answer is one XML tool call.", "Make it XML.", "Call it in XML.", "Send XML.",
    "XML is wanted here.", "Output one XML tool call.",
)  # fmt: skip
JSON = (
    "JSON, please.", "As JSON.", "I want a JSON call.", "Use JSON.", "In JSON format.", "JSON!",
    "The answer is one JSON tool call.", "Make it JSON.", "Call it in JSON.", "Send JSON.",
    "JSON is wanted here.", "Output one JSON tool call.",
)  # fmt: skip


def worded(draw: Draw, kind: str) -> str:
    """A request for this kind of call."""
    return draw.fill("".join(_spaced([draw.shared(p) for p in draw.shared(WORDINGS[kind])])))


def _spaced(parts: Sequence[str]) -> Sequence[str]:
    """A space before the object, where neither side brings its own."""
    first, second, third = parts
    joined = first.endswith(" ") or second.startswith((" ", ",", ":", ";"))
    return (first, "" if joined else " ", second, third)


def path_of(draw: Draw, name: str, suffix: str) -> str:
    """A file: of the class `name`, of another stem, or one that every project has."""
    if suffix != "test.ts" and draw.chance(0.25):
        return draw.shared(FILES)
    stem = name if draw.chance(0.5) else draw.shared(STEMS)
    file = f"{stem}.{suffix}"
    return f"{draw.shared(FOLDERS)}/{file}" if draw.chance(0.7) else file
