"""The exit codes that scripts can use."""

OK = 0
WRONG = 1
"""Something is wrong, and was said."""
USAGE = 2
"""The command or its input makes no sense."""
UNREACHABLE = 3
"""The database or a lock app cannot be reached."""
