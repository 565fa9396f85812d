"""This program's version, for whoever must not import all of it to know."""

VERSION = "0.1.0"
