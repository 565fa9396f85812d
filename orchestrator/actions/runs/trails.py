"""What is known of the attempts at a target in a run, and what the next one must know."""

from dataclasses import dataclass, field

Heads = tuple[str, ...]


@dataclass(slots=True)
class Trail:
    """The attempts at one target, earlier processes' included."""

    number: int = 0
    """Of the latest attempt; 0 where there was none."""
    tries: int = 0
    """Attempts of this process: only these count against ``retries``."""
    committing: tuple[str, ...] = ()
    """Revisions that attempts whose end nobody saw were about to change for good."""
    unseen: bool = False
    """Nobody saw the end of the latest attempt."""
    look_only: bool = False
    """The next attempt only tells what became of the ones before."""
    origin: Heads | None = None
    """Where the run found the target; ``None`` where that is not to be held against it."""
    began: float = 0.0
    revision: str | None = None
    """The revision that the running attempt has reached."""
    denied: bool = False
    """A revision was not let through because it could not be recorded."""
    begun: list[str] = field(default_factory=list)
    """Revisions that the running attempt was about to change for good."""

    def start(self) -> int:
        """Count another attempt, and return its number."""
        self.number += 1
        self.tries += 1
        self.revision, self.denied, self.begun = None, False, []
        return self.number

    def lose(self) -> None:
        """Nobody saw the end of the running attempt."""
        self.unseen = True
        self.committing = tuple(dict.fromkeys((*self.committing, *self.begun)))

    def see(self) -> None:
        """The end of the running attempt was seen: it looked at what had been before."""
        self.unseen = self.look_only = False
        self.committing = ()
