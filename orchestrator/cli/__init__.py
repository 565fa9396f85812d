"""The command line: parse, call, render, exit.

Modules here import Typer and the standard library at the top, everything else inside functions:
``orchestrator --help`` must not wait for SQLAlchemy, Alembic or the models.
Never decides anything about targets: ``actions`` does.
"""
