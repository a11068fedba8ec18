"""What ends the demonstration early."""


class Trouble(Exception):
    """Something does not hold or takes too long; its text is the one line that is printed."""
