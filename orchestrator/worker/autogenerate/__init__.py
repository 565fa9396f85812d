"""Comparing models with a target: ``check``, ``revision``, ``merge``.

Imports ``migration``, ``scratch`` and what lies below.
Never changes a target: what it writes are revision files.
"""
