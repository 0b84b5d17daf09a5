"""process_framework: PDCA documents with their links, TRON decisions, and questions about both."""

from __future__ import annotations

from training.synth.draw import Draw
from training.synth.sets.made import Made, asked
from training.synth.sets.sentences import (
    ACTS,
    CHECKS,
    NEXTS,
    OBJECTIVES,
    OUTCOMES,
    RESPONSES,
    STEPS,
    SUBJECTS,
    TASKS,
    TRIGGERS,
)

DOCUMENT = (
    "Create a PDCA for this task: $task.",
    "Write a PDCA document: $task.",
    "Document the following work as a PDCA: $task.",
    "Plan, do, check and act: write the PDCA to $task.",
    "We have to $task. Write the PDCA.",
    "Please write a full PDCA with both links. Task: $task.",
    "Generate a PDCA for the task to $task.",
    "Start a new PDCA. What has to be done: $task.",
    "$person wants to $task. Prepare the PDCA for it.",
    "Write the PDCA that belongs to this ticket: $task.",
    "Give me a PDCA in Markdown for $role: $task.",
    "Turn this request into a PDCA: $task.",
    "Record how we $task, as a PDCA with PRECEDES and FOLLOWS.",
    "After $meeting we agreed to $task. Write it up as a PDCA.",
    "Produce the PDCA cycle for: $task.",
    "I need the PDCA before $meeting. The task is to $task.",
    "Draft a PDCA so that we can $task and $goal.",
    "Set down a complete PDCA for how to $task.",
    "Help me document my next step as a PDCA: $task.",
    "Our next step is to $task; a PDCA is needed.",
    "In the words of $person, to be kept as a PDCA: $task.",
    "A new PDCA, about this: $task.",
    "$entity is next. We $task. Where is the PDCA? Write it.",
    "Make this a PDCA for $role: $task.",
    "PDCA about $entity, with everything in it: $task.",
    "Let us $task. The PDCA first, please.",
    "Nobody wrote a PDCA yet for the work to $task. Do it.",
    "$meeting__start wants to see a PDCA. The subject: $task.",
    "We $task this week; document it in the PDCA form.",
    "Begin the PDCA: $task.",
    "$entity: $task. PDCA with Objective, Plan, Do, Check and Act, please.",
    "May I have the PDCA in which we $task?",
    "The five sections, filled in, for the work to $task: a PDCA.",
    "I will $task. Make a PDCA out of it.",
    "Note this work as a PDCA in the project: $task.",
    "PDCA document for the project of $person. $task__start.",
    "A full PDCA is missing. What we did: $task.",
    "Can I get a PDCA that says how we $task?",
    "Show me how to $task; I want to read a PDCA.",
    "To be filed as a PDCA with its links: $task.",
    "$role__start cannot start without the PDCA to $task. Write it now.",
    "One PDCA for $entity. Content: $task.",
    "Enter into a PDCA what we do when we $task.",
)
"""Asks for a document about a task, in full sentences and in passing."""
REPAIR = (
    "There was $defect in $entity. Write the PDCA of the repair.",
    "$entity shows $defect; we need its PDCA.",
    "$person saw $defect in $entity. A PDCA, please.",
    "The PDCA for the repair of $entity, please. It shows $defect.",
    "$defect__start in $entity: bring it into a PDCA.",
    "Bug: $defect in $entity. PDCA.",
    "Since $meeting $entity has $defect. Give us the PDCA of what we do about it.",
    "$role__start cannot work: $defect in $entity. A PDCA is due.",
)
"""The same about a defect."""
REPAIRS = (
    "fix $defect in $entity", "find out why $entity shows $defect",
    "remove $defect from $entity for good", "debug $entity after $defect came back",
    "repair $defect in $entity",
)  # fmt: skip
FEATURE = (
    "$entity should get $property. Make its PDCA.",
    "The PDCA of the feature: $property for $entity.",
    "PDCA on $property in $entity.",
    "$role__start asks for $property in $entity. Record it in a new PDCA.",
    "We give $entity $property. That calls for a PDCA, please.",
    "A PDCA around $property, which $entity gets before $meeting.",
    "$property__start in $entity: PDCA from Objective to Act.",
    "$person adds $property to $entity. Write the PDCA of that.",
)
"""The same about something new."""
FEATURES = (
    "add $property to $entity", "give $entity $property so that $goal",
    "build $entity with $property", "introduce $property in $entity and $partner",
    "extend $entity by $property",
)  # fmt: skip
ABOUT = {"task": (DOCUMENT, TASKS), "repair": (REPAIR, REPAIRS), "feature": (FEATURE, FEATURES)}
DECISION = (
    "Write a TRON decision: $trigger_short.",
    "Decide with TRON what to do: $trigger_short.",
    "$trigger_short__start. Give the decision in TRON format.",
    "Document this decision as Trigger, Response, Outcome, Next: $trigger_short.",
    "Use the TRON format for this decision: $trigger_short.",
    "What should we do when $trigger_short? Answer with TRON.",
    "Put this into TRON for $role: $trigger_short.",
    "$person reports that $trigger_short. Write the TRON decision.",
    "A decision is due because $trigger_short. Write it in TRON.",
    "In $meeting we heard that $trigger_short. State the TRON decision.",
    "TRON for this: $trigger_short.",
    "$trigger_short__start: a case for TRON. Decide.",
    "Answer in TRON: $trigger_short.",
    "We need TRON, as $trigger_short.",
    "After $meeting it is clear that $trigger_short. TRON, in four lines.",
    "$role__start told us that $trigger_short; what is the TRON decision?",
    "The minutes of $meeting need a decision in TRON: $trigger_short.",
    "Trigger, Response, Outcome and Next, please: $trigger_short.",
    "Since $trigger_short, decide what follows, as TRON.",
    "Note the TRON decision of $person. The case: $trigger_short.",
    "$trigger_short__start. TRON.",
    "How do we respond if $trigger_short? Use TRON.",
    "Reply with the four parts of a TRON decision: $trigger_short.",
    "It was said in $meeting that $trigger_short. Make a decision of it, in TRON.",
    "Word a decision for $role in TRON, because $trigger_short.",
)
PLAN = (
    "Write only the Plan section of a PDCA, with TRON: $task.",
    "Plan this with a TRON decision: $task.",
    "How would the Plan of a PDCA read for this? $task__start.",
    "Give me the Plan part, in TRON, of the work to $task.",
    "Before we $task, write the Plan section with its decision.",
    "Formulate the plan in TRON format for $role: $task.",
    "Only the plan, please, as TRON. We want to $task.",
    "State trigger, response, outcome and next for the plan to $task.",
    "We $task tomorrow. Write the Plan with TRON.",
    "Prepare the Plan section ($person leads): $task.",
    "Plan only: $task. Decide it with TRON.",
    "Just the Plan with Trigger, Response, Outcome, Next. We $task.",
    "The Plan of our next PDCA, as TRON: $task.",
    "What does the Plan section say when we $task? In TRON, please.",
    "$role__start needs the Plan, a TRON decision, to $task.",
)
SHORT = (
    "$defect was found in $entity",
    "the tests of $entity fail since this morning",
    "$partner rejects the data of $entity",
    "$entity is too slow for $role",
    "$trouble in $entity",
    "$role asks for $property in $entity",
    "two ways to build $property for $entity are on the table",
    "$entity has to be ready for $meeting",
    "$person found $defect while testing $entity",
    "the release waits for $entity because of $defect",
)


def make(draw: Draw) -> Made:
    """A document, a decision, or a plan with its decision."""
    kind = draw.rng.choices(("document", "decision", "plan"), (55, 28, 17))[0]
    if kind == "document":
        asks, tasks = ABOUT[draw.rng.choices(("task", "repair", "feature"), (60, 20, 20))[0]]
        draw.bind(task=draw.line(tasks))
        template, instruction = asked(draw, "pdca", asks)
        return Made(template=template, instruction=instruction, output=document(draw))
    draw.bind(task=draw.line(TASKS), trigger_short=draw.line(SHORT))
    if kind == "decision":
        template, instruction = asked(draw, "tron", DECISION)
        trigger = f"{_start(draw.bound['trigger_short'])}."
        return Made(template=template, instruction=instruction, output=_tron(draw, trigger))
    template, instruction = asked(draw, "plan", PLAN)
    output = f"## Plan\n\n{_tron(draw, draw.line(TRIGGERS))}\n\n{_steps(draw)}"
    return Made(template=template, instruction=instruction, output=output)


def document(draw: Draw) -> str:
    """A PDCA in Markdown: title, both links, five sections, TRON in the Plan."""
    task = draw.bound["task"]
    done = "\n".join(f"- {line}" for line in draw.lines(STEPS, draw.rng.randint(3, 4)))
    checks = "\n".join(f"- [x] {line}" for line in draw.lines(CHECKS, draw.rng.randint(2, 3)))
    acts = "\n".join(f"- {line}" for line in draw.lines(ACTS, 2))
    before, after = _links(draw)
    return (
        f"# PDCA: {_start(task)}\n\n"
        f"FOLLOWS: {before}\n"
        f"PRECEDES: {after}\n\n"
        f"## Objective\n\n{draw.line(OBJECTIVES)}\n\n"
        f"## Plan\n\n{_tron(draw, draw.line(TRIGGERS))}\n\n"
        f"## Do\n\n{done}\n\n"
        f"## Check\n\n{checks}\n\n"
        f"## Act\n\n{acts}"
    )


def _tron(draw: Draw, trigger: str) -> str:
    return (
        f"**Trigger:** {trigger}\n"
        f"**Response:** {draw.line(RESPONSES)}\n"
        f"**Outcome:** {draw.line(OUTCOMES)}\n"
        f"**Next:** {draw.line(NEXTS)}"
    )


def _steps(draw: Draw) -> str:
    steps = draw.lines(STEPS, 3)
    return "\n".join(f"{i}. {step}" for i, step in enumerate(steps, start=1))


def _links(draw: Draw) -> tuple[str, str]:
    """Links to the PDCA before and to the one after, each named by day and subject."""
    days = sorted(f"2025-{month:02d}-{draw.number(1, 28):02d}" for month in _months(draw))
    subjects = draw.some(SUBJECTS, 2)
    names = [
        f"{day}-{draw.fill('$entity__kebab')}-{subject}"
        for day, subject in zip(days, subjects, strict=True)
    ]
    before, after = (f"[{name}](./{name}.pdca.md)" for name in names)
    return before, after


def _months(draw: Draw) -> list[int]:
    return draw.rng.sample(range(1, 13), 2)


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
