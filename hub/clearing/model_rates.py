"""The hub's commission: which rate a fee has, and what the rates take of a record.

A rate may name the owner (the host of the pile), the seller (the home that sold the charge), a group of the
owner's stations and a kind of fee, each or none. The host pays (decision record 0003).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from operator_sdk.contract.codes import FeeKind
from operator_sdk.contract.money import part_ppm

ANY = ""
"""Where a rate names nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the hub takes of a fee, in parts per million, from a day (YYYY-MM-DD) on."""

    owner: str = ANY
    seller: str = ANY
    station_group: str = ANY
    fee_kind: str = ANY
    ppm: int
    valid_from: str
    tax_code: str | None = None

    @property
    def rank(self) -> tuple[int, bool, bool, bool, str]:
        """By what rates are preferred: the one that names more, then the narrower, then the newer.

        Among rates that name equally many, one that names a station group comes before one that names a
        seller, that before one that names an owner, and that before one that names only a kind of fee.
        """
        named = (self.station_group, self.seller, self.owner, self.fee_kind)
        group, seller, owner, fee_kind = (name != ANY for name in named)
        return sum((group, seller, owner, fee_kind)), group, seller, owner, self.valid_from


def choose(rates: Iterable[Rate], fee_kind: FeeKind, day: str) -> Rate | None:
    """The rate of a fee on a booked day, out of those that fit its owner, seller and station."""
    fitting = [rate for rate in rates if rate.fee_kind in {ANY, fee_kind} and rate.valid_from <= day]
    return max(fitting, key=lambda rate: rate.rank, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rates of a record, chosen when it is accepted and kept with what it owes."""

    electricity_ppm: int
    service_ppm: int
    parking_ppm: int
    idle_ppm: int
    tax_code: str | None = None

    def commission_fen(self, *, electricity_fen: int, service_fen: int, parking_fen: int, idle_fen: int) -> int:
        """What the hub takes: rounded half up per kind of fee, then summed."""
        return (
            part_ppm(electricity_fen, self.electricity_ppm)
            + part_ppm(service_fen, self.service_ppm)
            + part_ppm(parking_fen, self.parking_ppm)
            + part_ppm(idle_fen, self.idle_ppm)
        )


def terms(rates: Iterable[Rate], day: str, *, otherwise_ppm: int) -> Terms:
    """The rates of a record booked on a day; the agreement's own where no rate fits.

    One commission is one supply, so it has one tax code: that of the most preferred rate among those chosen.
    """
    fitting = list(rates)
    chosen = {kind: choose(fitting, kind, day) for kind in FeeKind}
    found = [rate for rate in chosen.values() if rate is not None and rate.tax_code is not None]
    ppm = {kind: otherwise_ppm if rate is None else rate.ppm for kind, rate in chosen.items()}
    return Terms(
        electricity_ppm=ppm[FeeKind.ELECTRICITY],
        service_ppm=ppm[FeeKind.SERVICE],
        parking_ppm=ppm[FeeKind.PARKING],
        idle_ppm=ppm[FeeKind.IDLE],
        tax_code=max(found, key=lambda rate: rate.rank).tax_code if found else None,
    )
