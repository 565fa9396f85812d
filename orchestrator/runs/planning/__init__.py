"""From an order to a plan: where targets stand, by which path they go, in which wave they are.

Imports ``snapshot`` and ``rollout``.
Never changes or records anything.
"""
