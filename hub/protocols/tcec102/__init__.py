"""T/CEC 102: partners that speak the Chinese interconnection standard, as hosts, as homes or as both."""
