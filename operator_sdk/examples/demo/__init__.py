"""A small network on this machine that plays charges across operators, end to end."""
