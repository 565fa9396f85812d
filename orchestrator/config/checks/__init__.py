"""What types can't say about ``environments.toml``: one module for each part of the file.

Imports the models and the words for mistakes.
Never stops at the first mistake: it returns all of them.
"""
