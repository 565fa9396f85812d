"""Targets: labels, addresses, selectors, order. Pure.

Imports ``config``.
Never reads a clock or a file, and never connects anywhere.
"""
