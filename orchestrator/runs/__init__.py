"""How a recorded run lives: planned, started, controlled, gated, settled, resumed, rolled back.

Imports ``safety``, ``snapshot``, ``dispatch``, the ledger, and decisions of ``rollout``.
Never starts what is not recorded, and never touches a target itself: workers do.
"""
