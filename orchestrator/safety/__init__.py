"""What is checked before anything is touched.

Imports ``snapshot``, ``dispatch`` and what lies below.
Never changes a target.
"""
