"""What is checked before anything is touched.

May import ``snapshot``, ``dispatch`` and what lies below.
Never changes a target.
"""
