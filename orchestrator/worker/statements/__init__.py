"""What a migration sends to the driver: recorded, and what becomes of it when it is rolled back.

Imports the worker's jobs alone.
Never changes what a statement says.
"""
