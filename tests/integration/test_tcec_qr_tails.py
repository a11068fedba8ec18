"""What a QR code has after its slash reaches the host whose pile it is, from a home and from a phone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hub.roaming.tables import ScanRow
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.roaming import StartRequest
from operator_sdk.contract.tcec102.profile import read_profile
from tests.bff_rig import Bff, open_bff
from tests.rig import HOLD_FEN, A, B, C, Rig, open_rig
from tests.tcec102_gate import HOST, Partner, keys_named, profile_text
from tests.tcec_host_rig import HOME, HostRig, Scripted, open_host_rig

ENGINES = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
ELSE = "MA5TCEC09"
TAIL = "01730000/a?b=1 枪"
CODE_MOST = 500
"""Characters of a code that a driver scans or types."""

SCAN = "query($code: String!) { scan: resolveScan(code: $code) { ... on ScannedConnector { scanId }"
SCAN += " ... on UserError { code } } }"
START = "mutation($input: StartChargingInput!) { start: startCharging(input: $input)"
START += " { __typename ... on UserError { code } ... on ChargingSession { id } } }"


def told(rig: "HostRig | Phones") -> list[str]:
    """The QRCode of every start that the host was asked for."""
    return [message.qr_code for name, message in rig.host.heard if name == "query_start_charge"]


@ENGINES
async def test_a_native_homes_tail_reaches_the_host_and_none_is_an_empty_one(kind: str) -> None:
    async with open_host_rig(kind, connectors=2) as rig:
        await rig.start("CONN1", qr_tail=TAIL)
        await rig.start("CONN2")
        assert told(rig) == [TAIL, ""]


@ENGINES
async def test_a_start_repeated_with_another_tail_is_the_same_start(kind: str) -> None:
    async with open_host_rig(kind) as rig:
        sessions = []
        for tail in (TAIL, TAIL, None):
            request = StartRequest(
                start_ref="start-1",
                token=Token(kind=TokenKind.APP_USER, ref="driver-1"),
                connector=connector_ref(HOST, "CONN1"),
                qr_tail=tail,
            )
            sessions.append((await rig.hub.roaming.starting.for_home(HOME, request)).session_id)
        assert len(set(sessions)) == 1
        assert told(rig) == [TAIL]


async def test_a_tcec_homes_qrcode_reaches_the_host_unchanged() -> None:
    async with open_host_rig(connectors=2) as rig:
        home = await _home(rig)
        for number, tail in enumerate((TAIL, ""), 1):
            start: dict[str, Any] = {
                "StartChargeSeq": f"{ELSE}{number:018d}",
                "ConnectorID": f"CONN{number}",
                "OperatorID": HOST,
                "QRCode": tail,
            }
            ret, said = await home.say("query_start_charge", start)
            assert (ret, said["SuccStat"], said["FailReason"]) == (0, 0, 0)
        assert told(rig) == [TAIL, ""]


@ENGINES
async def test_what_a_phone_scanned_reaches_the_host_for_a_native_homes_driver_and_a_hosted_homes(
    kind: str,
) -> None:
    async with open_phones(kind) as phones:
        head = f"hlht://CONN2.{HOST}/"
        longest = (TAIL * CODE_MOST)[: CODE_MOST - len(head)]
        await phones.start(B, f" HLHT://CONN1.{HOST}/{TAIL}\n")
        await phones.start(C, head + longest)
        assert told(phones) == [TAIL, longest]
        assert not phones.logged("01730000")


async def test_every_scan_has_its_own_tail_and_a_repeated_start_is_the_first_ones() -> None:
    async with open_phones("sqlite") as phones:
        code = f"hlht://CONN1.{HOST}/"
        scans = [await phones.scan(B, code + tail) for tail in (TAIL, "other", "")]
        first = await phones.start_scanned(B, scans[0], key="k-1")
        assert await phones.start_scanned(B, scans[0], key="k-1") == first
        assert told(phones) == [TAIL]
        assert {row.qr_tail for row in await phones.rig.rows(ScanRow)} == {TAIL, "other", None}


async def test_codes_without_a_tail_tell_the_host_none() -> None:
    async with open_phones("sqlite", connectors=4) as phones:
        label = phones.rig.hub.roaming.scans.url_for(f"CONN4.{HOST}")
        for code in (f"hlht://CONN1.{HOST}/", f"hlht://CONN2.{HOST}", f"CONN3.{HOST}", label):
            await phones.start(B, code)
        assert told(phones) == [""] * 4


async def test_a_code_that_is_too_long_is_refused_and_never_cut_and_no_refusal_shows_a_tail() -> None:
    async with open_phones("sqlite") as phones:
        head = f"hlht://CONN1.{HOST}/"
        codes = (head + TAIL * CODE_MOST, f"hlht://NONE1.{HOST}/{TAIL}", f"hlht://CONN1/{TAIL}")
        said = [await phones.refusal(B, code) for code in codes]
        assert said == ["malformed", "code_unknown", "code_unknown"]
        assert await phones.rig.rows(ScanRow) == []
        assert not phones.logged(TAIL)


async def test_a_native_host_is_told_what_a_phone_scanned() -> None:
    async with open_phones("sqlite") as phones:
        await phones.start(C, f"hlht://A1.{A}/{TAIL}")
        await phones.start(C, f"A2.{A}")
        assert [start.qr_tail for start in phones.rig.a.starts] == [TAIL, None]


@dataclass
class Phones:
    """Drivers of a native home and of a hosted one, with the hub's app, before a T/CEC 102 host."""

    rig: Rig
    host: Scripted
    bff: Bff

    async def scan(self, home: str, code: str) -> str:
        """A driver scans; the scan's id."""
        return str((await self._phone(home).data(SCAN, code=code))["scan"]["scanId"])

    async def refusal(self, home: str, code: str) -> str:
        """A driver scans what is refused; the reason."""
        return str((await self._phone(home).data(SCAN, code=code))["scan"]["code"])

    def logged(self, words: str) -> list[str]:
        """The log lines with these words, of the hub and of the phone's service."""
        return [line for line in self.rig.logs.lines if words in line]

    async def start_scanned(self, home: str, scan_id: str, *, key: str = "") -> str:
        """And starts; the session's id."""
        given = {"scanId": scan_id, "idempotencyKey": key or self.rig.ref("key")}
        begun = (await self._phone(home).data(START, input=given))["start"]
        assert begun["__typename"] == "ChargingSession", begun
        return str(begun["id"])

    async def start(self, home: str, code: str) -> str:
        """Both."""
        return await self.start_scanned(home, await self.scan(home, code))

    def _phone(self, home: str) -> Any:
        subject = self.rig.customer.customer_id if home == C else "u-1"
        return self.bff.phone(self.rig.token(home, subject))


@asynccontextmanager
async def open_phones(kind: str, *, connectors: int = 2) -> AsyncIterator[Phones]:
    """Everything up on real ports; the T/CEC 102 host is a scripted one, its stations pulled."""
    async with open_rig(kind) as rig, open_bff(rig.url) as bff:
        await rig.hub.tcec102.profiles.add(profile_text(), "test")
        for home in (B, C):
            terms = AgreementAdd(home_party_id=home, host_party_id=HOST, hold_fen=HOLD_FEN)
            await rig.hub.parties.add_agreement(terms, actor="test")
        host = Scripted(connectors)
        rig.hub.tcec102.caller.call = host.call  # type: ignore[method-assign]
        await rig.hub.station_pulls.advance()
        yield Phones(rig, host, bff)


async def _home(rig: HostRig) -> Partner:
    """A home that speaks T/CEC 102 too, with an agreement and room for its charges."""
    text = profile_text(ELSE, '["home"]')
    await rig.hub.tcec102.profiles.add(text, "test", deposit_fen=1_000_000, limit_fen=1_000_000)
    await rig.hub.parties.add_agreement(AgreementAdd(home_party_id=ELSE, host_party_id=HOST), actor="test")
    home = Partner(rig.world, read_profile(text)[0], keys_named("ours", "o1"))
    await home.sign_in()
    return home
