"""The GraphQL schema of the driver's phone: types, thin resolvers, limits."""
