"""Jobs within limits to an engine: ``Dispatcher`` submits, waits, retries; ``Batch`` reads with it.

Imports engines, the worker's jobs, and decisions of ``rollout``.
Never records anything, and never looks into what a job does.
"""
