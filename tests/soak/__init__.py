"""T/CEC 102 partners that are killed, silent, slow, lying and replaying under load."""
