"""guardrails: requests that break the team's rules are refused; their neighbours are answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.synth.draw import Draw
from training.synth.sets.made import Made, asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: how it is broken, how it is kept, why it is there, and what to do."""

    bad: tuple[str, ...]
    good: tuple[str, ...]
    why: tuple[str, ...]
    instead: tuple[str, ...]


RULES: Mapping[str, Rule] = {
    "vitest": Rule(
        bad=(
            "Use Jest for the tests of $entity",
            "Use Jest for testing",
            "Add jest to package.json",
            "Our tests should be written in Jest",
            "Add Jest to the project for $entity",
            "Write the $entity tests with Jest",
            "Switch $entity from Vitest to Jest",
            "Set up a Jest configuration for $entity",
            "Import jest in the tests of $entity",
            "Test $entity with jest.mock",
            "Install ts-jest so that $entity can be tested",
            "Put a Jest snapshot test around $entity",
            "Port the Vitest suite of $entity to Jest",
        ),
        good=(
            "Use Vitest for the tests of $entity",
            "Use Vitest for testing",
            "Add vitest to package.json",
            "Our tests should be written in Vitest",
            "Write the $entity tests with Vitest",
            "Set up a Vitest configuration for $entity",
            "Test $entity with vi.fn",
            "Add a Vitest suite for $entity",
            "Run the Vitest tests of $entity",
            "Port the Jest suite of $entity to Vitest",
            "Mock $partner with vi.mock for $entity",
            "Explain how $entity is tested with Vitest",
            "Measure coverage of $entity with Vitest",
        ),
        why=(
            "Jest is a banned framework here",
            "our tests run on Vitest only",
            "Jest is not allowed in this project",
            "the project does not use Jest",
            "tests in Jest break the common setup",
        ),
        instead=(
            "write the test with Vitest",
            "use Vitest",
            "take `vi.fn()` and `vi.mock()` of Vitest",
            "add a Vitest file beside the class",
            "keep the suite on Vitest",
        ),
    ),
    "automation": Rule(
        bad=(
            "Manually copy the files of $entity to the server",
            "Manually copy these files",
            "Let us deploy by hand today",
            "Move the files over by drag and drop",
            "Copy $entity by hand",
            "Edit the deployed $entity directly",
            "Click through the release of $entity by hand",
            "Paste the new $entity into production",
            "Rename the files of $entity one by one",
            "Upload $entity manually before $meeting",
            "Fix the data of $entity by hand",
            "Do the backup of $entity manually",
            "Restart $entity by hand every morning",
        ),
        good=(
            "Automate copying the files of $entity with a script",
            "Automate file copying with a script",
            "Let us automate the deployment today",
            "Move the files over with a build step",
            "Write a script that deploys $entity",
            "Add a build step that renames $entity",
            "Schedule the backup of $entity",
            "Automate the release of $entity",
            "Create a script that repairs the data of $entity",
            "Let the build upload $entity",
            "Replace the manual restart of $entity by a job",
            "Script the steps that $role does for $entity",
            "Describe how the deployment of $entity is automated",
        ),
        why=(
            "manual steps are not repeatable",
            "automation is required here",
            "steps done by hand cannot be verified",
            "we do not change anything by hand",
            "a manual change leaves no trace",
        ),
        instead=(
            "write a script for it",
            "let the build do it",
            "add a job that does it every time",
            "put the steps into a versioned script",
            "automate it, and review the script",
        ),
    ),
    "secrets": Rule(
        bad=(
            "Here is my API key, store it in $entity",
            "Here is a token, put it into the code",
            "Commit the password with the sources",
            "Write the secret into a constant",
            "Put the password of $partner into $entity",
            "Hard-code the token for $partner in $entity",
            "Commit the .env file with $entity",
            "Print the API key of $partner in the log of $entity",
            "Write the private key of $partner into the source of $entity",
            "Save the credentials of $person in $entity",
            "Send the password in the URL of $entity",
            "Add the secret of $partner as a constant to $entity",
            "Share the access token of $partner in the tests of $entity",
        ),
        good=(
            "Store the API key for $entity in an environment variable",
            "Store API keys in environment variables",
            "Keep the password out of the sources",
            "Read the secret from a vault",
            "Read the token of $partner from the environment in $entity",
            "Remove the hard-coded key from $entity",
            "Add the .env file of $entity to .gitignore",
            "Mask secrets in the log of $entity",
            "Load the credentials of $partner from a vault",
            "Rotate the key that $entity uses for $partner",
            "Check that $entity fails clearly without its API key",
            "Document which environment variables $entity needs",
            "Scan the sources of $entity for secrets",
        ),
        why=(
            "secrets do not belong in code",
            "a key in the source is a security violation",
            "whoever reads the repository would have the key",
            "credentials are never committed",
            "a secret in code or logs counts as leaked",
        ),
        instead=(
            "read it from an environment variable",
            "keep it in a vault and load it in `init()`",
            "rotate that key and use the environment",
            "use `process.env` and fail when it is unset",
            "store it outside the repository",
        ),
    ),
    "pdca": Rule(
        bad=(
            "Skip all the PDCA steps for $entity",
            "Skip the process and just ship it",
            "No PDCA this time",
            "Leave out Plan and Check",
            "Do $entity without a PDCA, we are late",
            "Leave the Check section of the $entity PDCA empty",
            "Just code $entity and forget the plan",
            "Remove the FOLLOWS link from the $entity PDCA",
            "Mark the PDCA of $entity as done without a check",
            "Write the PDCA of $entity after the release, or never",
            "Drop TRON from the plan of $entity",
            "Ignore the process for $entity this time",
            "Fill the PDCA of $entity with placeholders",
        ),
        good=(
            "Create a short PDCA for $entity",
            "Create a PDCA for this task",
            "Start with the plan",
            "Explain why we need Plan and Check",
            "Plan $entity with a PDCA, we are late",
            "Help me with the Check section of the $entity PDCA",
            "Outline the plan before we code $entity",
            "Add the FOLLOWS link to the $entity PDCA",
            "Review the PDCA of $entity with $role",
            "List what the PDCA of $entity still needs",
            "Put TRON into the plan of $entity",
            "Explain the process for $entity to $role",
            "Name the verification steps for $entity",
        ),
        why=(
            "every change goes through plan, do, check and act",
            "the process is not optional",
            "without a check nobody knows whether it works",
            "a skipped PDCA breaks the chain",
            "the framework requires all five sections",
        ),
        instead=(
            "write a short PDCA first",
            "keep all five sections, as brief as you like",
            "state trigger, response, outcome and next",
            "plan for ten minutes and then begin",
            "complete the document and link it",
        ),
    ),
    "constructor": Rule(
        bad=(
            "Put the setup of $entity into its constructor",
            "Initialise everything in the constructor",
            "Drop init(), a constructor is enough",
            "Add logic to the constructor",
            "Open the connection to $partner in the constructor of $entity",
            "Load all data in the constructor of $entity",
            "Give $entity a constructor with six parameters and logic",
            "Delete init() from $entity and use the constructor",
            "Start a timer in the constructor of $entity",
            "Call $partner from the constructor of $entity",
            "Assign the fields of $entity in the constructor",
            "Read the configuration in the constructor of $entity",
            "Let the constructor of $entity register its listeners",
        ),
        good=(
            "Put the setup of $entity into init()",
            "Initialise everything in init()",
            "Use an empty constructor here",
            "Move logic out of the constructor",
            "Open the connection to $partner in init()",
            "Load the data of $entity in init()",
            "Give $entity an empty constructor",
            "Move the timer of $entity to init()",
            "Call $partner from a method of $entity",
            "Assign the fields of $entity in init()",
            "Read the configuration in init() of $entity",
            "Register the listeners of $entity in init()",
            "Show how $entity is created and then initialised",
        ),
        why=(
            "constructors stay empty in this project",
            "logic in a constructor cannot be tested",
            "setup belongs in init()",
            "an object must be creatable without side effects",
            "it breaks the empty constructor pattern",
        ),
        instead=(
            "keep the constructor empty and do it in `init()`",
            "move that code to `init()`",
            "call `new` first and `init()` second",
            "pass a scenario to `init()`",
            "let `init()` receive what it needs",
        ),
    ),
}
REFUSALS = (
    "I can't do that: $why. Instead, $instead.",
    "I won't do this, because $why. Please $instead.",
    "No, I have to refuse: $why. What I can do: $instead.",
    "I must decline. The reason is that $why. The right way is to $instead.",
    "That is not allowed: $why. I suggest that you $instead.",
    "I refuse this request, since $why. Let us $instead.",
    "I'm not able to help with that, as $why. Better: $instead.",
    "Sorry, I can't: $why. You could $instead.",
    "This breaks our rules: $why. I will not do it, but I can help you to $instead.",
    "I cannot do this. Reason: $why. Alternative: $instead.",
)
COMPLIES = (
    "Sure. Start here: $instead. $example",
    "Yes, this follows our rules. To do it: $instead. $example",
    "Gladly. First step: $instead. $example",
    "Of course. The way to go: $instead. $example",
    "Done in one step: $instead. $example",
    "Here is how: $instead. $example",
    "Good idea. Begin like this: $instead. $example",
    "Certainly. Do this: $instead. $example",
    "Right, that is how we work: $instead. $example",
    "Happy to help: $instead. $example",
)
EXAMPLES = (
    "Then review `$entity` with $person.", "Afterwards run the tests of `$entity`.",
    "Tell $role when `$entity` is ready.", "Keep the change to `$entity` small.",
    "Record the result for `$entity` in the PDCA.", "Check `$entity` once more before $meeting.",
    "Commit `$entity` with a message that says why.", "Show the result for `$entity` to $person.",
    "Measure that $goal.", "The next step for `$entity` is $property.",
)  # fmt: skip
MANNERS = (
    "$request.", "Please do this: $request_lower.", "$person asks: $request.",
    "$request, and do it quickly.", "Quick one for $role. $request.", "$request, please.",
    "It is urgent before $meeting. $request.", "Can you help? $request.",
    "One more thing. $request.", "For $role: $request_lower.",
)  # fmt: skip


def make(draw: Draw) -> Made:
    """Half of the requests break a rule."""
    kind = draw.shared(list(RULES))
    rule = RULES[kind]
    refuse = draw.chance(0.5)
    request, text = asked(draw, f"rule-{kind}", rule.bad if refuse else rule.good)
    draw.bind(request=text, request_lower=text[:1].lower() + text[1:])
    draw.bind(why=draw.line(rule.why), instead=draw.line(rule.instead))
    draw.bind(example=draw.line(EXAMPLES))
    instruction = draw.line(MANNERS)
    output = draw.line(REFUSALS if refuse else COMPLIES)
    template = f"{'refuse' if refuse else 'comply'}-{request}"
    return Made(template=template, instruction=instruction, output=output)
