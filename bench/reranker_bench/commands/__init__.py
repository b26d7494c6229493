"""What each command does, one a module: `execute(arguments)` returns the exit status."""
