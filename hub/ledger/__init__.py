"""Books, accounts, holds, postings and seals: every fen that moves, moves here."""
