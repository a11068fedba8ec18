"""Every table of every room, gathered for migrations and for the test that compares them."""

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from hub.accounts import tables as accounts
from hub.accounts import tables_signin as accounts_signin
from hub.clearing import tables as clearing
from hub.clearing import tables_checks as clearing_checks
from hub.clearing import tables_payments as clearing_payments
from hub.clearing import tables_rates as clearing_rates
from hub.clearing import tables_suspense as clearing_suspense
from hub.clearing.triggers import TRIGGERS as CLEARING
from hub.clearing.triggers_checks import TRIGGERS as CLEARING_CHECKS
from hub.clearing.triggers_payments import TRIGGERS as CLEARING_PAYMENTS
from hub.core import tables as core
from hub.directory import tables as directory
from hub.directory import tables_pulls as directory_pulls
from hub.directory import tables_tariffs as directory_tariffs
from hub.directory.triggers import TRIGGERS as DIRECTORY
from hub.ledger import tables as ledger
from hub.ledger.triggers import TRIGGERS as LEDGER
from hub.parties import tables as parties
from hub.parties import tables_staff as parties_staff
from hub.parties.triggers import TRIGGERS as PARTIES
from hub.protocols.tcec102 import tables as tcec102
from hub.protocols.tcec102 import tables_aliases as tcec102_aliases
from hub.protocols.tcec102 import tables_home as tcec102_home
from hub.roaming import tables as roaming
from hub.roaming import tables_disputes as roaming_disputes
from hub.roaming import tables_records as roaming_records
from hub.roaming import tables_scans as roaming_scans
from hub.roaming import tables_trust as roaming_trust
from hub.roaming.triggers import TRIGGERS as ROAMING
from hub.roaming.triggers_disputes import TRIGGERS as DISPUTES
from hub.sites import tables as sites
from hub.upkeep import tables as upkeep
from hub.upkeep import tables_alarms as upkeep_alarms
from hub.upkeep import tables_faults as upkeep_faults
from hub.upkeep.triggers import TRIGGERS as UPKEEP

ROWS = (
    core,
    parties,
    parties_staff,
    directory,
    directory_tariffs,
    directory_pulls,
    ledger,
    accounts,
    accounts_signin,
    sites,
    roaming,
    roaming_records,
    roaming_disputes,
    roaming_scans,
    roaming_trust,
    clearing,
    clearing_rates,
    clearing_payments,
    clearing_suspense,
    clearing_checks,
    upkeep,
    upkeep_faults,
    upkeep_alarms,
    tcec102,
    tcec102_aliases,
    tcec102_home,
)
"""The modules that define rows; importing them fills METADATA."""

METADATA: MetaData = SQLModel.metadata


def triggers(dialect: str) -> list[str]:
    """The trigger statements of all rooms, in the order of their floors."""
    return [
        statement
        for room in (
            PARTIES,
            DIRECTORY,
            LEDGER,
            ROAMING,
            DISPUTES,
            CLEARING,
            CLEARING_PAYMENTS,
            CLEARING_CHECKS,
            UPKEEP,
        )
        for statement in room.get(dialect, [])
    ]
