"""An example home operator: drivers with balances, holds and captures, a small app for them."""
