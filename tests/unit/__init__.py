"""One module at a time, without other processes."""
