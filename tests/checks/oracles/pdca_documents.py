"""Process documents to plant defects into: a sound PDCA in parts, and its TRON decision."""

from __future__ import annotations

OBJECTIVE = "OrderStore keeps every order on restart. Done means that no record is lost."
TRON = (
    "**Trigger:** Mara reported lost orders after a restart.\n"
    "**Response:** We write orders to disk before we confirm them.\n"
    "**Outcome:** A restart loses no order, and a test shows it.\n"
    "**Next:** Watch the log of OrderStore for two weeks."
)
DO = (
    "- Wrote a scenario that restarts OrderStore in the middle of an order.\n"
    "- Moved the setup of OrderStore into init().\n"
    "- Added 12 tests with Vitest."
)
CHECK = "- [x] All 12 tests of OrderStore pass.\n- [x] Mara repeated the restart: nothing was lost."
ACT = (
    "- Learned: the order of writing matters more than its speed.\n"
    "- From now on every store is tested with a restart."
)
FOLLOWS = "FOLLOWS: [2025-03-02-orders-review](./2025-03-02-orders-review.pdca.md)"
PRECEDES = "PRECEDES: [2025-03-09-orders-rollout](./2025-03-09-orders-rollout.pdca.md)"
TITLE = "# PDCA: Keep orders on restart"


def pdca(
    *,
    title: str = TITLE,
    links: str = f"{FOLLOWS}\n{PRECEDES}",
    objective: str = OBJECTIVE,
    plan: str = TRON,
    do: str = DO,
    check: str = CHECK,
    act: str = ACT,
) -> str:
    """A document, sound unless a part of it is replaced."""
    named = {"Objective": objective, "Plan": plan, "Do": do, "Check": check, "Act": act}
    sections = "\n\n".join(f"## {name}\n\n{text}" for name, text in named.items())
    return f"{title}\n\n{links}\n\n{sections}"
