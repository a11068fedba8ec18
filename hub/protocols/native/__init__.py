"""Our own protocol: the table of operations over HTTP, inward (server) and outward (link)."""
