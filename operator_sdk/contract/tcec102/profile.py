"""A partner's profile: all that differs between one T/CEC 102 platform and the next, as data.

`docs/tcec102-profile.md` describes the TOML file field by field.
"""

import re
import tomllib
from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, field

from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.keys import AES_BYTES, KeySet
from operator_sdk.contract.tcec102.values import zone_of

STANDARD, NEXT_STANDARD = "tcec102-2016", "gbt44130"
"""What is spoken, and the slot of what will be."""

OperatorId = Annotated[str, Meta(pattern=r"^[0-9A-Z]{9}$")]
Yuan = Annotated[str, Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$")]
Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
Decimals = Annotated[int, Meta(ge=0, le=6)]
Path = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$", max_length=200)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the profile; a key it does not know is an error."""


class Spelling(Section, frozen=True, kw_only=True):
    """How field names are written. Reading takes every spelling."""

    service: Literal["Sevice", "Service"] = "Sevice"
    qr_code: Literal["QRCode", "QrCode"] = "QRCode"
    case: Literal["standard", "lower_camel"] = "standard"


class Numbers(Section, frozen=True, kw_only=True):
    """How numbers are written; energy and money of the partner's own messages have these decimals too."""

    money_decimals: Decimals = 2
    energy_decimals: Decimals = 2
    price_decimals: Decimals = 4
    as_strings: bool = False


class Signature(Section, frozen=True, kw_only=True):
    """How strictly the partner's answers are checked, and how our error answers look."""

    answers: Literal["strict", "if_present", "none"] = "strict"
    errors_sealed: bool = True
    lower_case_sig: bool = False
    pad_keys: bool = False


class TokenRules(Section, frozen=True, kw_only=True):
    """The tokens we issue to the partner."""

    life_s: Annotated[int, Meta(ge=60, le=604_800)] = 7200
    reuse: bool = True


class Push(Section, frozen=True, kw_only=True):
    """What we push to the partner, or expect to be pushed, and how often."""

    status_s: Annotated[int, Meta(ge=1, le=3600)] = 50
    station_status: bool = True


class Time(Section, frozen=True, kw_only=True):
    """Times in messages are local to `zone`; an envelope further than `window_s` off is refused (0: never)."""

    zone: str = "Asia/Shanghai"
    window_s: Annotated[int, Meta(ge=0, le=86_400)] = 300
    stamp: Literal["text", "epoch_ms"] = "text"


class Stations(Section, frozen=True, kw_only=True):
    """How stations are exchanged."""

    coordinates: Literal["gcj02", "wgs84", "bd09"] = "gcj02"
    operator_id: Literal["keep", "rename"] = "keep"
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 50
    full_at: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "02:00"
    incremental_s: Annotated[int, Meta(ge=60, le=86_400)] = 600


class Pricing(Section, frozen=True, kw_only=True):
    """Where the prices of a host's charges come from; the estimates (yuan/kWh) serve `details` and `trust`."""

    mode: Literal["policy", "details", "trust"] = "policy"
    policy_life_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    estimate_electricity: Yuan | None = None
    estimate_service: Yuan | None = None


class RetCodes(Section, frozen=True, kw_only=True):
    """The partner's own Ret codes, as text, and the standard's code that each stands for."""

    theirs: dict[str, Literal[-1, 0, 4001, 4002, 4003, 4004, 500]] = field(default_factory=dict)


class Network(Section, frozen=True, kw_only=True):
    """Who may call us in the partner's name, and which certificate we expect when we call it.

    `plain`: `base_url` may be http and a public IP address, in production too.
    """

    addresses: list[str] = field(default_factory=list)
    client_certificate_sha256: list[Fingerprint] = field(default_factory=list)
    server_certificate_sha256: list[Fingerprint] = field(default_factory=list)
    plain: bool = False


class Limits(Section, frozen=True, kw_only=True):
    """What we take from the partner."""

    rate_per_s: Annotated[int, Meta(ge=1, le=100_000)] = 50
    concurrent: Annotated[int, Meta(ge=1, le=1000)] = 20
    body_bytes: Annotated[int, Meta(ge=10_000, le=50_000_000)] = 2_000_000


class Profile(Section, frozen=True, kw_only=True):
    """A partner, without its secrets: may be stored and shown in clear."""

    operator_id: OperatorId
    name: Words
    roles: Annotated[list[Literal["host", "home"]], Meta(min_length=1, max_length=2)]
    base_url: Annotated[str, Meta(pattern=r"^https?://[^\s/?#@]+$", max_length=200)]
    standard: str = STANDARD
    prefix: Path = "/evcs/v1"
    paths: dict[str, Path] = field(default_factory=dict)
    serve_prefix: Path = "/evcs/v1"
    hub_operator_id: OperatorId | None = None
    spelling: Spelling = Spelling()
    numbers: Numbers = Numbers()
    signature: Signature = Signature()
    token: TokenRules = TokenRules()
    push: Push = Push()
    time: Time = Time()
    stations: Stations = Stations()
    pricing: Pricing = Pricing()
    ret: RetCodes = RetCodes()
    network: Network = Network()
    limits: Limits = Limits()

    def path_of(self, interface: str) -> str:
        """The path under `base_url` at which the partner serves an interface."""
        return self.paths.get(interface, f"{self.prefix}/{interface}")


class DatedKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key set and when it is good: from `since` (included) to `until` (excluded); null is without bound."""

    id: str
    keys: KeySet
    since: datetime | None = None
    until: datetime | None = None


class Secrets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both directions: `theirs` the partner issued, for our calls; `ours` we issued, for its calls."""

    theirs: list[DatedKeys]
    ours: list[DatedKeys]


def active_keys(dated: list[DatedKeys], at: datetime) -> list[DatedKeys]:
    """The key sets that are good at an instant, the newest first: call with the first, accept all of them."""
    good = [
        one for one in dated if (one.since is None or one.since <= at) and (one.until is None or at < one.until)
    ]
    return sorted(good, key=lambda one: (one.since is not None, one.since or at), reverse=True)


class ProfileProblem(ValueError):
    """A profile that cannot be used; the text names the key and what is expected, never a secret."""


def read_profile(text: str) -> tuple[Profile, Secrets]:
    """A profile file (TOML) as the profile and, apart from it, the secrets.

    Raises:
        ProfileProblem: not TOML, an unknown or missing key, or a value that cannot be used.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileProblem(f"not TOML: {problem}") from None
    except RecursionError:
        raise ProfileProblem("not TOML that anybody wrote: nested too deeply") from None
    secrets = tree.pop("secrets", None)
    profile = _converted(tree, Profile, "")
    _check(profile)
    if secrets is None:
        raise ProfileProblem("secrets: [[secrets.theirs]] and [[secrets.ours]] are required")
    return profile, _secrets(secrets, pad=profile.signature.pad_keys)


T = TypeVar("T")

_PLACE = re.compile(r" - at `\$\.?(?P<place>.*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")

_HINTS = {
    "operator_id": "the partner's OperatorID: 9 digits and upper-case letters",
    "hub_operator_id": "our OperatorID towards this partner: 9 digits and upper-case letters",
    "name": "1 to 100 characters, without line breaks",
    "base_url": "https:// and a host, without a path: that belongs into `prefix`",
    "prefix": 'a path such as "/evcs/v1", without a slash at its end',
    "serve_prefix": 'a path such as "/evcs/v1", without a slash at its end',
    "stations.full_at": 'a time of day such as "02:00"',
    "pricing.estimate_electricity": 'yuan per kWh as text, such as "0.85"',
    "pricing.estimate_service": 'yuan per kWh as text, such as "0.40"',
}


def _converted(tree: Any, kind: type[T], under: str) -> T:
    try:
        return msgspec.convert(tree, kind, strict=True)
    except msgspec.ValidationError as problem:
        raise ProfileProblem(_explained(str(problem), under)) from None


def _explained(problem: str, under: str) -> str:
    found = _PLACE.search(problem)
    place = (under + (found["place"] if found else "")).strip(".")
    what = _PLACE.sub("", problem)
    for form, word in ((_UNKNOWN, "unknown key"), (_MISSING, "missing key")):
        key = form.match(what)
        if key:
            return f"{word} `{place}.{key['key']}`" if place else f"{word} `{key['key']}`"
    hint = _HINTS.get(place)
    return f"{place}: {hint}" if hint else f"{place}: {what}"


def _check(profile: Profile) -> None:
    """What the types cannot say."""
    _check_standard(profile.standard)
    if profile.hub_operator_id == profile.operator_id:
        raise ProfileProblem("hub_operator_id: ours, which cannot be the partner's operator_id")
    if len(set(profile.roles)) != len(profile.roles):
        raise ProfileProblem("roles: each role once")
    for name in profile.paths:
        if name not in INTERFACES:
            raise ProfileProblem(f"unknown key `paths.{name}`: it is no interface of T/CEC 102")
    try:
        zone_of(profile.time.zone)
    except ValueError:
        raise ProfileProblem('time.zone: a name such as "Asia/Shanghai" is expected') from None
    _check_addresses(profile.network.addresses)
    for code in profile.ret.theirs:
        if not re.fullmatch(r"-?[0-9]{1,9}", code):
            raise ProfileProblem(f"ret.theirs.{code}: the key is the partner's Ret, a whole number")
    _check_pricing(profile)


def _check_standard(standard: str) -> None:
    if standard == STANDARD:
        return
    why = "GB/T 44130 is not spoken yet" if standard == NEXT_STANDARD else "this standard is not known"
    raise ProfileProblem(f'standard: {why}; "{STANDARD}" is')


def _check_addresses(addresses: list[str]) -> None:
    for place, address in enumerate(addresses):
        try:
            ip_network(address)
        except ValueError:
            raise ProfileProblem(
                f'network.addresses[{place}]: an address or network such as "203.0.113.0/24" is expected'
            ) from None


def _check_pricing(profile: Profile) -> None:
    if profile.pricing.mode == "policy" or "host" not in profile.roles:
        return
    for name in ("estimate_electricity", "estimate_service"):
        if getattr(profile.pricing, name) is None:
            raise ProfileProblem(
                f'pricing.{name}: required for mode = "{profile.pricing.mode}" ({_HINTS[f"pricing.{name}"]})'
            )


class _KeyTable(Section, frozen=True, kw_only=True):
    """One `[[secrets.theirs]]` or `[[secrets.ours]]` of the file."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
    operator_secret: Annotated[str, Meta(min_length=1, max_length=200)]
    data_secret: Annotated[str, Meta(min_length=1, max_length=200)]
    data_secret_iv: Annotated[str, Meta(min_length=1, max_length=200)]
    sig_secret: Annotated[str, Meta(min_length=1, max_length=200)]
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None


class _SecretTables(Section, frozen=True, kw_only=True):
    """The two arrays of the file."""

    theirs: Annotated[list[_KeyTable], Meta(min_length=1)]
    ours: Annotated[list[_KeyTable], Meta(min_length=1)]


def _secrets(tree: Any, *, pad: bool) -> Secrets:
    tables = _converted(tree, _SecretTables, "secrets.")
    return Secrets(
        theirs=_dated(tables.theirs, "secrets.theirs", pad=pad),
        ours=_dated(tables.ours, "secrets.ours", pad=pad),
    )


def _dated(tables: list[_KeyTable], under: str, *, pad: bool) -> list[DatedKeys]:
    dated: list[DatedKeys] = []
    for place, table in enumerate(tables):
        where = f"{under}[{place}]"
        if table.id in {one.id for one in dated}:
            raise ProfileProblem(f"{where}.id: each key set has an id of its own")
        if table.since and table.until and table.since >= table.until:
            raise ProfileProblem(f"{where}.until: later than `since`")
        dated.append(
            DatedKeys(id=table.id, keys=_key_set(table, where, pad=pad), since=table.since, until=table.until)
        )
    return dated


def _key_set(table: _KeyTable, where: str, *, pad: bool) -> KeySet:
    for name in ("data_secret", "data_secret_iv"):
        length = len(getattr(table, name).encode())
        if length != AES_BYTES and not pad:
            raise ProfileProblem(
                f"{where}.{name}: {AES_BYTES} bytes are expected, these are {length}; "
                "`signature.pad_keys = true` fills or cuts them as some platforms do"
            )
    return KeySet(
        operator_secret=table.operator_secret,
        data_secret=table.data_secret,
        data_secret_iv=table.data_secret_iv,
        sig_secret=table.sig_secret,
        pad=pad,
    )
