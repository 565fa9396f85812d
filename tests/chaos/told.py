"""What is told of a round of chaos."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.setups import Setup


@dataclass(slots=True)
class Told:
    """How a round went."""

    setup: Setup
    log: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)
    replayed: Counter[str] = field(default_factory=Counter)
    """Revisions that were replayed, by the kind of their targets."""
    commands: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        doubt = f"in doubt: {', '.join(self.fixed)}" if self.fixed else "no doubt"
        replayed = ", ".join(f"{kind} {count}" for kind, count in sorted(self.replayed.items()))
        doubt += f"  replayed: {replayed}" if self.setup.replays else ""
        return (
            f"seed {self.setup.seed}  ledger {self.setup.ledger}  budget {self.setup.budget}  "
            f"retries {self.setup.retries}  {'; '.join(self.log)}  {doubt}  {self.seconds:.1f} s"
        )
