"""Where jobs run. ``base`` is the contract of every engine, ``local`` runs processes here.

Imports nothing of this program.
Never knows what it runs: jobs and answers are values that pass through.
"""
