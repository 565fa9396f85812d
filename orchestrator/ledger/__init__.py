"""The record of runs, in any database that SQLAlchemy reaches. ``Ledger`` is its public face.

Imports ``dialects`` and the events of ``rollout``.
Never decides how a run goes on, and never holds a secret.
"""

from orchestrator.ledger.errors import Held, LeaseLost, LedgerLost
from orchestrator.ledger.hold import Hold
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.ledger import Ledger

__all__ = ["Held", "Hold", "Holder", "LeaseLost", "Ledger", "LedgerLost"]
