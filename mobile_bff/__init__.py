"""The mobile back end: GraphQL for the phones of drivers, one more client of the hub."""
