"""Charges between homes and hosts of every protocol, over real HTTP between real processes."""
