"""`interpile check tcec102 PROFILE`: both sides of the standard played against somebody's platform.

What it finds is a table of what holds and what does not, with the bytes that show it. It starts a charge only
at a connector that is named to it, stops it at once, and disputes an order that costs money. Where no answer
says that the charge is over, the table says that it may still run.
"""
