"""The base of all T/CEC 102 messages, the standard's field names, and the kinds of their numbers."""

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

ODD_NAMES = {
    "qr_code": "QRCode",
    "business_hours": "BusineHours",
    "service_price": "SevicePrice",
    "service_money": "SeviceMoney",
    "total_service_money": "TotalSeviceMoney",
    "detail_service_money": "DetailSeviceMoney",
    "extra": " extra",
}
"""Names that the rule below does not give. The misspellings are the standard's own (T/CEC 102.3)."""

_WORDS = {"id": "ID", "ids": "IDs"}


def standard_name(attribute: str) -> str:
    """The standard's name of an attribute: `station_id` is `StationID`, `service_price` is `SevicePrice`."""
    if attribute in ODD_NAMES:
        return ODD_NAMES[attribute]
    return "".join(_WORDS.get(word, word[:1].upper() + word[1:]) for word in attribute.split("_"))


class Part(msgspec.Struct, frozen=True, kw_only=True, rename=standard_name):
    """What every message and part of one has. `extra` holds the fields we do not know, as they came."""

    extra: dict[str, Any] = msgspec.field(default_factory=dict)


Seq = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="27 characters in the standard")]
WireId = Annotated[str, Meta(pattern=r"^[!-~]{1,64}$", description="an id its operator made")]
Text = Annotated[str, Meta(max_length=4000)]
Time = Annotated[str, Meta(max_length=40, description="yyyy-MM-dd HH:mm:ss in the partner's zone")]
Whole = Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]

# The kind says how many decimals are written (the profile's, or the standard's) and which values are sane.
Money = Annotated[Decimal, Meta(extra={"kind": "money"}, description="yuan")]
Energy = Annotated[Decimal, Meta(extra={"kind": "energy"}, description="kWh")]
Price = Annotated[Decimal, Meta(extra={"kind": "price"}, description="yuan/kWh")]
Tenths = Annotated[Decimal, Meta(extra={"kind": "tenths"}, description="kW or kWh with one decimal")]
Degrees = Annotated[Decimal, Meta(extra={"kind": "degrees"}, description="degrees with six decimals")]
Measure = Annotated[Decimal, Meta(extra={"kind": "measure"}, description="A, V or percent")]
Lasting = Annotated[int, Meta(ge=0, le=9_999_999_999_999, description="seconds; some send epoch milliseconds")]
