"""What every side must agree on to the byte and the fen: pure, no input or output, no clock, no randomness."""
