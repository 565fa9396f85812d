"""Results to text, JSON and what CI reads. Pure functions.

Imports results of ``actions`` and ``runs``, and values below.
Never reads, connects or decides; never shows a secret or a control character.
"""
