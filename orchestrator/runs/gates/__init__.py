"""What a run waits for: requirements, soaks, approvals, queries, commands, windows.

Imports the run's context and its recorded run.
Never starts or stops a target: it returns events.
"""
