"""tool_awareness: what is asked in words, answered by one tool call, in JSON or in XML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from training.synth.draw import Draw
from training.synth.sets import tool_wordings
from training.synth.sets.made import Made, asked
from training.synth.words import QUALIFIERS, ROLES

FOLDERS = (
    "src", "src/layer2", "src/layer3", "src/layer5", "tests", "lib/shared", "app/views",
    "packages/core", "tools", "src/domain", "app/models", "scripts", "src/util", "web/pages",
    "config",
)  # fmt: skip
SUFFIXES = ("ts", "tsx", "test.ts", "json", "md", "config.ts", "spec.ts", "css", "d.ts", "yaml")
COMMANDS = (
    "npm install", "npm run build", "npm run lint", "npx vitest run", "git status",
    "git diff --stat", "npm run format", "npx tsc --noEmit", "git log --oneline -5", "npm ci",
    "npm outdated", "npm run docs", "git branch --list", "npm audit", "node --version",
)  # fmt: skip
QUERIES = (
    "useState", "TODO", "extends $entity", "init(", "toScenario", "import $entity",
    "new $entity", "console.log", "$entity__camel", "constructor()", "throw new Error",
    "async init", "export default", "describe('$entity'", "process.env",
)  # fmt: skip
READ = (
    "Read the file $path.", "Show me what is in $path.", "Open $path.",
    "What does $path contain?", "I need the content of $path.", "Please read $path for $role.",
    "Have a look at $path and tell me what it says.", "Display $path.",
    "Let me see $path before we change it.", "Load the file $path.",
    "Give me $path to read.", "cat $path", "I have not seen $path yet.",
    "$role__start asks what stands in $path.", "Pull up $path, please.",
)  # fmt: skip
CREATE = (
    "Create a new file $path with the class $entity.", "Add the file $path for $entity.",
    "Make a file $path that holds an empty $entity.", "Start $path with a class $entity.",
    "Write a new file $path; it declares $entity.", "We need $path with a skeleton of $entity.",
    "Put a class $entity into the new file $path.", "Generate the file $path for $entity.",
    "Set up $path, it shall contain $entity.", "A file $path is missing; create it with $entity.",
    "$path does not exist yet. Make it, with the class $entity.",
    "touch $path, with class $entity in it", "Begin the file $path with $entity.",
    "Lay down $path: a class $entity, nothing more.", "New: $path, containing class $entity.",
)  # fmt: skip
EDIT = (
    "In $path, rename $old to $new.", "Replace $old by $new in $path.",
    "Change $old to $new in the file $path.", "Edit $path: $old becomes $new.",
    "Fix the name $old in $path, it must be $new.", "Update $path and write $new for $old.",
    "Please swap $old for $new in $path.", "The file $path still says $old. Make it $new.",
    "Correct $old in $path to $new.", "Put $new where $path has $old.",
    "$old was a bad name; it is $new from now on. File: $path.", "sed s/$old/$new/ $path",
    "Let $path say $new, not $old.",
    "Rename inside $path: from $old to $new.", "Exchange $old with $new, file $path.",
)  # fmt: skip
DELETE = (
    "Delete the file $path.", "Remove $path.", "We no longer need $path; delete it.",
    "Drop the file $path.", "Erase $path from the project.", "Get rid of $path.",
    "Please remove the file $path, it is unused.", "Clean up: delete $path.",
    "The file $path is obsolete. Delete it.", "Take $path out of the project.",
    "rm $path", "We can live without $path; wipe it.", "There is no use for $path. Take it away.",
    "Nothing imports $path now; remove it for good.", "Let $path disappear.",
)  # fmt: skip
LIST = (
    "List the files in $folder.", "What is in the folder $folder?", "Show all files of $folder.",
    "Which files are in $folder?", "Give me a listing of $folder.",
    "Look into the folder $folder.", "Tell me what $folder holds.",
    "I want to see the folder $folder.", "Print the directory $folder.",
    "Enumerate the files below $folder for $role.",
    "dir $folder", "What files are there, in $folder?", "Go over the names in $folder.",
    "$role__start asks which files $folder contains.", "See what lies in $folder.",
)  # fmt: skip
SEARCH = (
    "Search for all files that contain '$query'.", "Find '$query' in the code.",
    "Where is '$query' used?", "Look for '$query' in all files.",
    "Which files mention '$query'?", "Search the project for '$query'.",
    "Locate every use of '$query'.", "Grep for '$query'.",
    "Show me the places with '$query'.", "Is '$query' anywhere in the project?",
    "grep -r '$query' .", "Who calls '$query'? Search everywhere.",
    "Find out whether '$query' occurs.",
    "Find me all spots with '$query'.", "Any '$query' left? Search.",
)  # fmt: skip
SEARCH_IN = (
    "Search $folder for '$query'.", "Find '$query' in the folder $folder.",
    "Where in $folder is '$query' used?", "Look for '$query' below $folder.",
    "Which files in $folder contain '$query'?", "Grep $folder for '$query'.",
    "Locate '$query' within $folder.", "Show uses of '$query' in $folder.",
    "List the places in $folder with '$query'.", "Does $folder mention '$query'?",
    "grep -r '$query' $folder", "Inside $folder, find '$query'.",
    "Is '$query' mentioned by a file of $folder?",
    "Go into $folder and search for '$query'.", "Find all '$query' that $folder has.",
)  # fmt: skip
RUN = (
    "Run $command.", "Execute the command $command.", "Please run `$command`.",
    "Start `$command` in the project.", "Call $command for me.",
    "Do a `$command` before $meeting.", "I want `$command` to be run now.",
    "Use the shell: $command.", "Let `$command` run.", "Issue the command `$command`.",
    "Next command: `$command`.", "Type `$command` into the shell.",
    "$person wants $command to be executed.",
    "Can you run $command here?", "> $command",
)  # fmt: skip
TESTS = (
    "Run the tests in $path.", "Execute the tests of $path.", "Do the tests in $path pass?",
    "Test $path.", "Check $path with its tests.", "Please run the test file $path.",
    "Start the tests that are in $path.", "Are the tests of $path green?",
    "Let the tests in $path run.", "Verify $path by running its tests.",
    "Is $path green?", "See if $path passes.", "$role__start asks whether $path is green; run it.",
    "Run $path, the test file.", "Let me know if the tests in $path fail.",
)  # fmt: skip
XML_WISH = (
    "Answer with an XML tool call.", "Use the XML format for the tool call.",
    "The call must be XML.", "Format: XML.", "Reply with one tool call in XML.",
    "Give the tool call as XML.", "Write the call in XML.", "XML tool call, please.",
    "Return XML.", "Respond in the XML tool format.",
)  # fmt: skip
JSON_WISH = (
    "Answer with a JSON tool call.", "Use the JSON format for the tool call.",
    "The call must be JSON.", "Format: JSON.", "Reply with one tool call in JSON.",
    "Give the tool call as JSON.", "Write the call in JSON.", "JSON tool call, please.",
    "Return JSON.", "Respond in the JSON tool format.",
)  # fmt: skip

_ASKS: Mapping[str, tuple[str, Sequence[str]]] = {
    "read": ("read_file", READ),
    "create": ("create_file", CREATE),
    "edit": ("edit_file", EDIT),
    "delete": ("delete_file", DELETE),
    "list": ("list_files", LIST),
    "search": ("search", SEARCH),
    "search-in": ("search", SEARCH_IN),
    "run": ("run_command", RUN),
    "tests": ("run_tests", TESTS),
}


def make(draw: Draw) -> Made:
    """One call; JSON unless XML is asked for."""
    if draw.trains and draw.chance(0.6):
        return _worded(draw)
    kind = draw.shared(list(_ASKS))
    tool, pool = _ASKS[kind]
    _bind(draw, kind)
    template, instruction = asked(draw, f"tool-{kind}", pool)
    wish = draw.rng.choices(("", "json", "xml"), (50, 20, 30))[0]
    text = draw.pick(XML_WISH if wish == "xml" else JSON_WISH) if wish else ""
    output = _call(wish, tool, _arguments(draw, kind))
    return Made(template=template, instruction=instruction, input=text, output=output)


def _worded(draw: Draw) -> Made:
    """The same in words that training alone has."""
    kind = draw.shared(list(tool_wordings.WORDINGS))
    suffix = {"tests": "test.ts", "create": "ts"}.get(kind) or draw.shared(SUFFIXES)
    path = tool_wordings.path_of(draw, draw.bound["entity"], suffix)
    if kind == "create":
        path = f"{draw.shared(tool_wordings.FOLDERS)}/{draw.bound['entity']}.ts"
    draw.bind(path=path, folder=draw.shared((*tool_wordings.FOLDERS, *FOLDERS)))
    draw.bind(query=draw.fill(draw.shared((*tool_wordings.QUERIES, *QUERIES))))
    draw.bind(command=draw.shared((*tool_wordings.COMMANDS, *COMMANDS)))
    draw.bind(text=draw.fill(draw.shared(tool_wordings.TEXTS)))
    _bind_names(draw)
    instruction = tool_wordings.worded(draw, kind)
    wish = draw.rng.choices(("", "json", "xml"), (50, 20, 30))[0]
    wishes = {"xml": (*tool_wordings.XML, *XML_WISH), "json": (*tool_wordings.JSON, *JSON_WISH)}
    text = draw.shared(wishes[wish]) if wish else ""
    tool = _ASKS[kind.removesuffix("-text")][0]
    output = _call(wish, tool, _arguments(draw, kind))
    template = f"tool-{kind}-worded"
    return Made(template=template, instruction=instruction, input=text, output=output)


def _call(wish: str, tool: str, arguments: Mapping[str, str]) -> str:
    return _xml(tool, arguments) if wish == "xml" else _json(tool, arguments)


def _bind(draw: Draw, kind: str) -> None:
    folder = draw.pick(FOLDERS)
    suffix = "test.ts" if kind == "tests" else draw.pick(SUFFIXES)
    suffix = "ts" if kind == "create" else suffix
    name = f"{draw.bound['entity']}.{suffix}"
    draw.bind(folder=folder, path=f"{folder}/{name}" if draw.chance(0.6) else name)
    draw.bind(query=draw.line(QUERIES), command=draw.pick(COMMANDS))
    if kind == "edit":
        _bind_names(draw)


def _bind_names(draw: Draw) -> None:
    old, new = (f"{first}{draw.pick(ROLES)}" for first in draw.some(QUALIFIERS, 2))
    draw.bind(old=old, new=new)


def _arguments(draw: Draw, kind: str) -> dict[str, str]:
    arguments = {name: draw.bound[slot] for name, slot in _SLOTS.get(kind, _PATH).items()}
    if kind == "create":
        name = draw.bound["entity"]
        arguments["content"] = f"export class {name} {{\n  constructor() {{}}\n}}\n"
    return arguments


_PATH = {"path": "path"}
_SLOTS: Mapping[str, Mapping[str, str]] = {
    "search": {"query": "query"},
    "search-in": {"query": "query", "path": "folder"},
    "run": {"command": "command"},
    "list": {"path": "folder"},
    "create-text": {"path": "path", "content": "text"},
    "edit": {"path": "path", "old": "old", "new": "new"},
}


def _json(tool: str, arguments: Mapping[str, str]) -> str:
    return json.dumps({"name": tool, "arguments": arguments})


def _xml(tool: str, arguments: Mapping[str, str]) -> str:
    inner = "".join(f"<{k}>{escape(v, quote=False)}</{k}>" for k, v in arguments.items())
    return f"<tool_call><name>{tool}</name><arguments>{inner}</arguments></tool_call>"
