"""Where every target stands at one moment, and which of them are alike: schema classes.

Imports ``inspection`` to read servers, and ``dispatch`` where only ``env.py`` can tell.
Never changes a target, and never says what is to be done with one.
"""
