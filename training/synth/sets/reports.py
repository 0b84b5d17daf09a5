"""reporting_protocol: notes of work become a report with status, evidence and next step."""

from __future__ import annotations

from training.synth.draw import Draw
from training.synth.sets.made import Made, asked
from training.synth.sets.sentences import ACTS, CHECKS, NEXTS, STEPS, TASKS

REPORT = (
    "Write a status report for $role from these notes.",
    "Turn the notes into a report on $entity.",
    "Report to $role what was done: $task.",
    "Summarise the notes below as a status report for $meeting.",
    "$role wants to know where we are with $entity. Write the report.",
    "Make a short report of these notes; the task was to $task.",
    "Prepare the report on $entity for $meeting.",
    "Write up the result for $person: $task.",
    "From these notes, give me a report in our format.",
    "Bring the notes on $entity into the reporting format.",
    "A report, please, for $role. Notes are below.",
    "Collect what the notes say about $entity in a status report.",
    "Draft the end-of-day report from the notes on $entity.",
    "Fill in the report for the task to $task.",
    "Condense this into a report for $meeting.",
    "$person was away. Report what happened with $entity.",
    "Write the final report on the task to $task.",
    "What is the status of $entity? Report it from the notes.",
    "Prepare a hand-over report for $person from these notes.",
    "State what is done, what is proven and what is open for $entity.",
    "Report with evidence: $task.",
    "The notes below are raw. $role needs a report.",
    "Give me status, evidence, risks and next step of $entity.",
    "Write the weekly report on $entity for $role.",
    "Make these notes on $entity readable as a report.",
)
STATES = ("done", "in progress", "blocked", "in review", "waiting")
RISKS = (
    "None known.", "$defect__start may return.", "$partner is not always reachable.",
    "$trouble__start.", "Depends on $person.", "The time until $meeting is short.",
    "$role has not confirmed yet.", "No test covers $property.",
    "The limit of $count requests may be too low.", "Two cycles touch $entity at once.",
)  # fmt: skip


def make(draw: Draw) -> Made:
    """Notes in any order; the report in a fixed one."""
    draw.bind(task=draw.line(TASKS))
    template, instruction = asked(draw, "report", REPORT)
    done = draw.lines(STEPS, draw.rng.randint(2, 3))
    evidence = draw.lines(CHECKS, 2)
    state, step, risk = draw.shared(STATES), draw.line(NEXTS), draw.line(RISKS)
    learned = draw.line(ACTS)
    facts = (f"State: {state}.", f"Then: {step}", f"Risk: {risk}", draw.fill("Task: $task."))
    notes = [*done, *evidence, *facts, learned]
    draw.rng.shuffle(notes)
    output = (
        f"# Report: {draw.fill('$task__start')}\n\n"
        f"**Status:** {state}\n\n"
        f"## Done\n\n{_bullets(done)}\n\n"
        f"## Evidence\n\n{_bullets(evidence)}\n\n"
        f"## Risks\n\n{risk}\n\n"
        f"## Learned\n\n{learned}\n\n"
        f"## Next\n\n{step}"
    )
    return Made(template=template, instruction=instruction, input=_bullets(notes), output=output)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
