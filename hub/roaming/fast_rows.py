"""What the set-based ways to open a charge share: facts as they were lately, and rows that no draft holds."""

import hashlib
from datetime import datetime, timedelta

from hub.core.tables import Evidence
from hub.roaming.asking import NOT_ASKED, Asked
from hub.roaming.context import RoamingContext
from hub.roaming.drafting import Facts, Row, Wanted
from operator_sdk.contract.ids import LETTER


class FastRows:
    """Finds facts without a unit, and makes rows as `store_authorize` takes them."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def facts(self, wanted: Wanted, asked: Asked = NOT_ASKED) -> Facts:
        """What is known of a charge whose home is known, up to some seconds old."""
        home, parties = wanted.home_party_id or "", self._c.parties
        info = await self._c.directory.connector_lately(wanted.host_party_id, wanted.connector_id, home)
        hold_fen = await parties.hold_of_pair(home, wanted.host_party_id)
        spoken = (await parties.party(home)).protocol
        return Facts(
            asked.over(info),
            hold_fen,
            spoken != "hosted",
            home_protocol=spoken,
            host_protocol=(await parties.party(wanted.host_party_id)).protocol,
            host_says_no=asked.refusal,
        )

    def message(
        self,
        party_id: str,
        kind: str,
        external_id: str,
        *,
        canonical: bytes,
        subject_id: str,
        evidence: Evidence | None,
    ) -> Row:
        """A business message as it is claimed; `canonical` is what it says."""
        return {
            "party_id": party_id,
            "kind": kind,
            "external_id": external_id,
            "digest": hashlib.sha256(canonical).hexdigest(),
            "subject_id": subject_id,
            "received_at": self._c.clock.wall(),
            "key_id": evidence.key_id if evidence else None,
            "signature": evidence.signature if evidence else None,
            "body": f"\\x{evidence.body.hex()}" if evidence else None,
        }

    def timer(self, kind: str, session_id: str, after: timedelta) -> Row:
        """A letter of its own lane that is due later."""
        now: datetime = self._c.clock.wall()
        return {
            "letter_id": self._c.ids.new(LETTER),
            "lane": f"{kind}:{session_id}",
            "kind": kind,
            "party_id": None,
            "subject": session_id,
            "payload": "{}",
            "due_at": now + after,
            "created_at": now,
        }
