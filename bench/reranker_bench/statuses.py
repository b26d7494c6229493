"""The exit statuses, the same for all commands, so that scripts and Jobs can tell what happened."""

OK = 0
LOST = 1
"""Samples were lost, a scenario failed, a cell is slower than allowed, or a check found something wrong."""
USAGE = 2
"""Wrong usage, or a file that can't be read or written."""
NOT_READY = 3
"""The server was not ready, or is not the one that was expected."""
INTERRUPTED = 130
"""Interrupted; what had been measured is printed and written."""
