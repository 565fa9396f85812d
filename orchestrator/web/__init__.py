"""The dashboard: reads the ledger, signals runs as the command line does, and drives nothing.

Killing it harms nobody, and any number may run: sessions and tokens are in the ledger.
"""
