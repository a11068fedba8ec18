"""The home's money, as pure rules over integers of fen.

Capture takes at most the hold; what is owed beyond it comes from the balance that is not held for
something else, and what the balance cannot bear becomes the driver's debt.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Account:
    """A driver's money: `held_fen` is the part of the balance that open holds keep back."""

    balance_fen: int
    held_fen: int = 0
    debt_fen: int = 0

    @property
    def available_fen(self) -> int:
        """What a new hold may take."""
        return self.balance_fen - self.held_fen


@dataclass(frozen=True, slots=True)
class Settled:
    """The account afterwards, and what became of the hold: captured + released = held."""

    account: Account
    captured_fen: int
    released_fen: int


def can_hold(account: Account, amount_fen: int) -> bool:
    """Whether the whole of the hold is covered; a driver in debt pays that first."""
    return account.debt_fen == 0 and account.available_fen >= amount_fen


def settle(account: Account, *, hold_fen: int, hold_is_open: bool, owed_fen: int) -> Settled:
    """Charge a driver for a record. A hold that was released already captures nothing."""
    captured = min(owed_fen, hold_fen) if hold_is_open else 0
    held_elsewhere = account.held_fen - (hold_fen if hold_is_open else 0)
    balance = account.balance_fen - captured
    excess = owed_fen - captured
    from_balance = min(excess, max(0, balance - held_elsewhere))
    after = Account(
        balance_fen=balance - from_balance,
        held_fen=held_elsewhere,
        debt_fen=account.debt_fen + excess - from_balance,
    )
    return Settled(after, captured, hold_fen - captured)


def refund(account: Account, amount_fen: int) -> Account:
    """Give a driver money back: debt first."""
    off_debt = min(amount_fen, account.debt_fen)
    return replace(
        account,
        balance_fen=account.balance_fen + amount_fen - off_debt,
        debt_fen=account.debt_fen - off_debt,
    )
