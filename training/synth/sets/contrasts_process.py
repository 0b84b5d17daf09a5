"""Pairs about how work is done: the PDCA, and automation instead of hands."""

from __future__ import annotations

from collections.abc import Sequence

from training.synth.sets.contrast import Contrast
from training.synth.sets.contrast_words import JOBS, PARTS, VERBS

AUTOMATION: Sequence[Contrast] = (
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
)  # fmt: skip

PDCA: Sequence[Contrast] = (
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
    Contrast(
        frames=(
            "$way $what", "$way $what of the PDCA", "$way $what, $role finds it needless",
            "please $way $what", "$person says: $way $what", "could you $way $what for $entity",
            "$way $what in the last PDCA", "I want you to $way $what", "now $way $what",
            "before $meeting, $way $what", "$way $what, then close it", "we $way $what here",
        ),
        broken=(
            "remove", "erase", "strip out", "take away", "tear out", "get rid of", "break",
            "clear", "blank out", "unlink", "cross out", "take off",
        ),
        kept=(
            "add", "put back", "restore", "repair", "insert", "correct", "enter", "link",
            "set", "write down", "bring back", "supply",
        ),
        what=(
            "both links", "the FOLLOWS link", "the link to the next PDCA", "the PRECEDES line",
            "the link to the one before", "the back link", "the forward link", "its links",
            "the reference to the last PDCA", "the chain of links", "the links at the top",
        ),
    ),
    Contrast(
        frames=(
            "write $what $way", "$what is written $way", "I would do $what $way",
            "$way we write $what", "fill in $what $way", "let us write $what $way",
            "for $entity, $what comes $way", "$person writes $what $way", "$what $way, please",
            "begin $what $way", "$what for $entity: $way", "have $what ready $way",
        ),
        broken=(
            "some day", "when all is shipped", "once $entity is live, if at all", "next year",
            "afterwards, perhaps", "only if somebody asks", "when the code is merged", "never",
            "after it went live", "long after the work", "at the very end or not at all",
            "when it is too late to matter", "after the deployment", "in hindsight",
        ),
        kept=(
            "first", "before any code", "before we begin", "before it is released", "at the start",
            "now, ahead of the work", "before the merge", "today, before the change", "up front",
            "in time", "before $entity goes live", "ahead of the deployment", "at once",
        ),
        what=("the PDCA", "its PDCA", "the plan", "the whole PDCA", "a PDCA", "the Plan section"),
    ),
)  # fmt: skip
