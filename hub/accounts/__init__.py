"""Hosted operators' customers: wallets, cards, sign-in, and the home's side of a charge."""
