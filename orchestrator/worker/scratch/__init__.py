"""Databases to throw away, and histories tried on them.

Imports ``migration`` and what lies below.
Never touches a target.
"""
