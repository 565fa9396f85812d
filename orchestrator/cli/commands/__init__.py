"""One module per command: its options, its help, its examples.

Imports ``actions`` and ``render`` inside functions, so that ``--help`` stays fast.
Never decides anything: it parses, calls, renders and exits.
"""
