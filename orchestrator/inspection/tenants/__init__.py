"""The tenants of an environment, from a list, a query, a command, or what there is on a server.

Imports ``fleet`` and connections that only read.
Never changes or creates anything where it looks.
"""
