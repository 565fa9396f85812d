"""The pages: each reads what it shows, and fills in a template.

May import all of the dashboard but its application. None changes anything but ``actions``.
"""
