"""What a worker process keeps apart: output, folders, variables, signals, logging.

Imports nothing of this program.
Never lets what one target's code did to the process reach the next target.
"""
