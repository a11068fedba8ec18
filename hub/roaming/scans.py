"""What is this code? Parses what a driver scanned or typed, resolves it, and remembers it for one start.

Our own URL carries a MAC and a key id; `hlht://` codes of other operators are only parsed; plain connector
numbers are taken as they are. The MAC key never leaves the hub.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from hub.core.errors import HubError, TooManyError
from hub.parties.tables import find_agreement
from hub.roaming.asking import Asking
from hub.roaming.context import RoamingContext
from hub.roaming.model import DEFAULT_HOLD_FEN
from hub.roaming.model_scans import still_counted, wait_s
from hub.roaming.tables import ScanRow
from hub.roaming.tables_scans import failures_of, keep_failures
from operator_sdk.contract.ids import SCAN, connector_ref, split_connector
from operator_sdk.contract.messages.directory import ConnectorInfo, Tariff
from operator_sdk.contract.messages.roaming import Scan
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.sequences import parse_qr

SCAN_LIFE = timedelta(minutes=2)
MAC_BYTES = 9
WRONG_CODES = frozenset({Code.CODE_FORGED, Code.CODE_UNKNOWN})
"""What counts as a failed scan: a code that was made up, not one that merely cannot be used now."""
_CONNECTOR = re.compile(r"[A-Za-z0-9]{1,26}\.[0-9A-Z]{9}\Z")


def mac_of(key: bytes, connector: str) -> str:
    """The check value of a sticker: HMAC-SHA256 over version and connector, 72 bits, base64url."""
    digest = hmac.new(key, b"interpile-qr-1\x1f" + connector.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:MAC_BYTES]).decode()


def signed_url(base_url: str, key_id: str, key: bytes, connector: str) -> str:
    """The text of a connector's own QR code."""
    return f"{base_url.rstrip('/')}/c/{connector}?k={key_id}&m={mac_of(key, connector)}"


def read_code(text: str, base_url: str, keys: dict[str, bytes]) -> str:
    """The connector that a scanned or typed text names, as `connector_id.party_id`.

    Raises:
        HubError: code_forged, our own URL with a wrong or missing check value; code_unknown otherwise.
    """
    text = text.strip()
    if text.lower().startswith("hlht://"):
        parts = parse_qr(text)
        candidate = f"{parts[0]}.{parts[1].upper()}" if parts else ""
    elif text.startswith(("http://", "https://")):
        candidate = _read_own_url(text, base_url, keys)
    else:
        candidate = text
    if not _CONNECTOR.match(candidate):
        raise HubError(Code.CODE_UNKNOWN)
    return candidate


def tail_of(text: str) -> str | None:
    """What an `hlht://` code has after its slash: the host's own. None: nothing, or another code."""
    parts = parse_qr(text)
    return parts[2] or None if parts else None


def _read_own_url(text: str, base_url: str, keys: dict[str, bytes]) -> str:
    try:
        url, own = urlsplit(text), urlsplit(base_url)
    except ValueError:
        raise HubError(Code.CODE_UNKNOWN) from None
    if (url.scheme, url.netloc) != (own.scheme, own.netloc) or not url.path.startswith("/c/"):
        raise HubError(Code.CODE_UNKNOWN)
    connector, query = url.path.removeprefix("/c/"), parse_qs(url.query)
    key = keys.get(query.get("k", [""])[0])
    mac = query.get("m", [""])[0]
    if key is None or not hmac.compare_digest(mac_of(key, connector).encode(), mac.encode()):
        raise HubError(Code.CODE_FORGED)
    return connector


class Scans:
    """Resolves codes for drivers."""

    def __init__(self, context: RoamingContext) -> None:
        self._c, self._asking = context, Asking(context)

    async def resolve(self, home_party_id: str, subject: str, code: str) -> Scan:
        """Show the driver what a start would mean, and remember it for two minutes.

        Raises:
            HubError: code_forged, code_unknown, no_agreement, tariff_unknown; host_unavailable, or what the
                host said, where it has to be asked.
            TooManyError: this driver was wrong too often within a minute.
        """
        driver_ref = self._c.pseudonyms.driver_ref(home_party_id, subject)
        try:
            return await self._resolve(home_party_id, driver_ref, code)
        except HubError as problem:
            if problem.code in WRONG_CODES:
                await self._count_failure(home_party_id, driver_ref)
            raise

    async def _count_failure(self, home_party_id: str, driver_ref: str) -> None:
        """Count one; of many at once only as many are answered as a minute allows."""
        now = self._c.clock.wall()
        async with self._c.database.unit() as unit:
            failures = await failures_of(unit, home_party_id, driver_ref, now=now, lock=True)
            _refuse_too_many(failures, now)
            await keep_failures(unit, home_party_id, driver_ref, [*still_counted(failures, now), now])

    async def _resolve(self, home_party_id: str, driver_ref: str, code: str) -> Scan:
        now = self._c.clock.wall()
        async with self._c.database.reading() as unit:
            _refuse_too_many(await failures_of(unit, home_party_id, driver_ref, now=now), now)
        connector = read_code(code, self._c.own_base_url, self._c.scan_keys)
        host_party_id, connector_id = split_connector(connector)
        asked = await self._asking.before_charge(home_party_id, host_party_id, connector_id)
        if asked.refusal is not None:
            raise HubError(asked.refusal)
        async with self._c.database.unit() as unit:
            info = asked.over(
                await self._c.directory.connector(unit, host_party_id, connector_id, home=home_party_id)
            )
            if info is None:
                raise HubError(Code.CODE_UNKNOWN)
            if info.tariff is None:
                raise HubError(Code.TARIFF_UNKNOWN)
            hold_fen = DEFAULT_HOLD_FEN
            if home_party_id != host_party_id:
                agreement = await find_agreement(unit, home_party_id=home_party_id, host_party_id=host_party_id)
                if agreement is None:
                    raise HubError(Code.NO_AGREEMENT)
                hold_fen = agreement.hold_fen
            row = ScanRow(
                scan_id=self._c.ids.new(SCAN),
                home_party_id=home_party_id,
                driver_ref=driver_ref,
                host_party_id=host_party_id,
                connector_id=connector_id,
                tariff_id=info.tariff.tariff_id,
                tariff_version=info.tariff.version,
                hold_fen=hold_fen,
                expires_at=now + SCAN_LIFE,
                qr_tail=tail_of(code),
            )
            unit.session.add(row)
        return _message(row, info, info.tariff)

    def url_for(self, connector: str) -> str:
        """The signed URL of a connector, under the newest key."""
        key_id = max(self._c.scan_keys)
        return signed_url(self._c.own_base_url, key_id, self._c.scan_keys[key_id], connector)


def _refuse_too_many(failures: Sequence[datetime], now: datetime) -> None:
    wait = wait_s(failures, now)
    if wait is not None:
        raise TooManyError(wait)


def _message(row: ScanRow, info: ConnectorInfo, tariff: Tariff) -> Scan:
    return Scan(
        scan_id=row.scan_id,
        connector=connector_ref(row.host_party_id, row.connector_id),
        station_name=info.station_name,
        address=info.address,
        kind=info.kind,
        rated_power_w=info.rated_power_w,
        state=info.state,
        tariff=tariff,
        hold_fen=row.hold_fen,
        expires_at=row.expires_at,
    )
