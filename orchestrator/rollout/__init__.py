"""Plans, waves, budgets, outcomes, and the state machine of a run. Pure.

Imports ``config``.
Never reads a clock or a file, and never connects anywhere.
"""
