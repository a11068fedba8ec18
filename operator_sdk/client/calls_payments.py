"""The typed calls about payments, deposits and bank working days."""
