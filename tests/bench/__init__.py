"""`make bench`: what the hub costs and how fast it is, measured on real processes, sockets and PostgreSQL."""
