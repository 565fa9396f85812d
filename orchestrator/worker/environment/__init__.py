"""Runs the user's ``env.py`` unchanged, on our connection, whatever that file asks for.

Imports ``connection``, ``statements`` and ``scripts``.
Never lets DDL reach another database than the target.
"""
