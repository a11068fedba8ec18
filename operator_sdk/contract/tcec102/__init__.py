"""T/CEC 102 (中电联互联互通): messages, envelope, cryptography, values and partner profiles.

Pure: no input, no output, no clock.
"""
