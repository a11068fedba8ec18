"""The hub's part of the `interpile` command. What a subcommand needs is imported when it is called.

The command line uses the same services as the API, over the database itself: whoever holds the database acts
alone, and is on the audit log.
"""

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand as the dispatcher calls it: arguments in, exit code out."""

    name: str
    module: str
    help: str

    def __call__(self, argv: list[str]) -> int:
        """Run it; returns 0, 1 for what failed, 2 for wrong usage."""
        shell = import_module("hub.commands.shell")
        app = getattr(import_module(f"hub.commands.{self.module}"), f"{self.name}_app")
        return int(shell.run(app, f"interpile {self.name}", argv))


party = Subcommand("party", "operators", "Operators: add, exposure, list")
key = Subcommand("key", "operators", "Keys: add, approve, revoke, list, init")
agreement = Subcommand("agreement", "operators", "Agreements between home and host operators: add")
staff = Subcommand("staff", "people", "The hub's staff: add")
customer = Subcommand("customer", "people", "Hosted drivers: add, show, token, top-up")
station = Subcommand("station", "places", "Stations: put, import, remove, pull, gaps")
tariff = Subcommand("tariff", "tariffs", "Prices of hosted hosts: put, assign, list")
site = Subcommand("site", "sites", "Sites of hosted hosts: add, key, list, show, revoke, blacklist, gateway")
ledger = Subcommand("ledger", "auditing", "The ledger: verify, rebuild, days")
cycle = Subcommand(
    "cycle",
    "clearing",
    "Clearing cycles: close, advance, show, list, transfers, statement, export-proof, proof",
)
commission = Subcommand(
    "commission", "commissions", "What hosts pay the hub: add, list, group, tax-code, tax-codes"
)
record = Subcommand("record", "records", "Charge records: list, show, decide, partners, restore")
session = Subcommand("session", "sessions", "Charging sessions: find")
dispute = Subcommand("dispute", "disputing", "Disputes over charge records: list, show, resolve")
check = Subcommand("check", "checking", "Daily checks of charge records: records list, show, FILE")
suspense = Subcommand("suspense", "waiting", "Money that waits: list, show, close")
payment = Subcommand(
    "payment", "payments", "Payments of cycles: list, begin, book, deposit, bank-day, bank-days, advance"
)
order = Subcommand("order", "upkeep", "Work orders: list, show, assign, statistics")
tcec102 = Subcommand(
    "tcec102", "partners", "T/CEC 102 partners: profile show, replace, keys; tolerated, names, gaps, stats"
)
outbox = Subcommand("outbox", "books", "Messages that gave up: dead, replay")
serve = Subcommand("serve", "processes", "Serve the hub")
jobs = Subcommand("jobs", "processes", "Do what is due, until told to stop")
migrate = Subcommand("migrate", "processes", "Bring the database to the newest revision")
contracts = Subcommand("contracts", "processes", "Export the published contracts")
