"""What a revision sent to one target, sent to the next as it is, where that is proved to be right.

Imports ``connection``, ``statements`` and ``scripts``, and ``inspection``.
Never replays a revision of which it is not known, by its text and by watching it, that it is the
same for every target of its class.
"""
