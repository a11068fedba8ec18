"""T/CEC 102 envelopes sealed ahead of their window, each with a plaintext of its own; their answers opened."""

import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.wire import Ret, WireProblem, open_answer, seal_request
from tests.bench.tcec_world import PREFIX, STATUS, TCEC_HOME, TCEC_HOST, ours, profile_of, theirs
from tests.bench.traffic import Job
from tests.bench.wire import Request, render
from tests.bench.world import World

STATUSES, RESULTS, STARTS, PARTNER = "tcec_status", "tcec_result", "tcec_start", "tcec_partner"
KINDS = frozenset({STATUSES, RESULTS, STARTS, PARTNER})
"""Statuses and results of a start from the host, starts by the home, and the hub's own calls of the host."""

GOOD = b'"Ret":0'
CHINA = timezone(timedelta(hours=8))
STEP = timedelta(seconds=1)


class TcecTraffic:
    """Makes requests for jobs, and looks into what came back."""

    def __init__(self, world: World) -> None:
        self._world, self._run, self._made = world, secrets.token_hex(3).upper(), 0
        self._began = datetime.now(UTC).replace(microsecond=0)
        self._hub_id = world.hub.party_id

    def streams(self, job: Job) -> list[list[Request]]:
        """All requests of a job. Statuses: a stream for each connection, its sessions in turn, so that none has
        two in flight.
        """
        if job.kind != STATUSES:
            make = {RESULTS: self._result, STARTS: self._start}.get(job.kind, self._asked)
            return [[make(job, *session) for session in job.sessions]]
        streams: list[list[Request]] = [[] for _ in range(job.connections)]
        for step in range(1, job.requests // len(job.sessions) + 1):
            for place, session in enumerate(job.sessions):
                streams[place % job.connections].append(self._status(job, *session, step))
        return streams

    def _status(self, job: Job, seq: str, connector_id: str, last: int, step: int) -> Request:
        number = last + step
        energy_wh, fen = 150 * number, 30 * number
        plain = (
            f'{{"StartChargeSeq":"{seq}","StartChargeSeqStat":2,"ConnectorID":"{connector_id}",'
            f'"ConnectorStatus":3,"CurrentA":120.5,"CurrentB":0,"CurrentC":0,"VoltageA":448.1,"VoltageB":0,'
            f'"VoltageC":0,"Soc":{min(99, 20 + number)},"StartTime":"{_text(self._began)}",'
            f'"EndTime":"{_text(self._began + number * STEP)}","TotalPower":{_decimals(energy_wh // 10)},'
            f'"ElecMoney":{_decimals(fen // 2)},"SeviceMoney":{_decimals(fen - fen // 2)},'
            f'"TotalMoney":{_decimals(fen)},"SumPeriod":0,"ChargeDetails":[]}}'
        )
        return self._sealed(job, TCEC_HOST, STATUS, plain.encode(), seq)

    def _result(self, job: Job, seq: str, connector_id: str, _last: int) -> Request:
        words = {"StartChargeSeqStat": 2, "StartTime": _text(self._began), "IdentCode": "1234"}
        plain = msgspec.json.encode({"StartChargeSeq": seq, "ConnectorID": connector_id, **words})
        return self._sealed(job, TCEC_HOST, "notification_start_charge_result", plain, seq)

    def _start(self, job: Job, _seq: str, connector_id: str, _last: int) -> Request:
        seq = self._seq(TCEC_HOME)
        words = {"StartChargeSeq": seq, "ConnectorID": connector_id, "QRCode": ""}
        return self._sealed(job, TCEC_HOME, "query_start_charge", msgspec.json.encode(words), seq)

    def _asked(self, job: Job, interface: str, connector_id: str, _last: int) -> Request:
        """What the hub asks a host at a start."""
        names = {"query_equip_auth": "EquipAuthSeq", "query_equip_business_policy": "EquipBizSeq"}
        words = {names.get(interface, "StartChargeSeq"): self._seq(self._hub_id), "ConnectorID": connector_id}
        more = {"QRCode": ""} if interface == "query_start_charge" else {}
        plain = msgspec.json.encode(words | more)
        return self._sealed(job, self._hub_id, interface, plain, interface)

    def _seq(self, operator_id: str) -> str:
        self._made += 1
        return make_seq(operator_id, f"{self._run}{self._made:012d}")

    def _sealed(self, job: Job, caller: str, interface: str, plain: bytes, label: str) -> Request:
        self._made += 1
        stamp = datetime.now(CHINA).strftime("%Y%m%d%H%M%S")
        body = seal_request(_keys(caller), caller, plain, stamp=stamp, seq=f"{self._made % 10_000:04d}")
        headers = {"authorization": f"Bearer {job.tokens.get(caller, 'bench')}"}
        return Request(render("POST", f"{job.url}{PREFIX}/{interface}", headers, body), label)

    def check(self, job: Job, answers: Iterable[tuple[str, bytes]], wrong: Counter[str]) -> int:
        """Open answers; those that do not open or do not say yes are wrong. Returns how many there were."""
        caller = {RESULTS: TCEC_HOST, STATUSES: TCEC_HOST, STARTS: TCEC_HOME}.get(job.kind, self._hub_id)
        profile = profile_of(self._world, TCEC_HOME if caller == TCEC_HOME else TCEC_HOST)
        checked = 0
        for _, body in answers:
            checked += 1
            try:
                answer = open_answer(body, [_keys(caller)], profile)
            except WireProblem as problem:
                wrong[problem.reason] += 1
                continue
            said: dict[str, Any] = msgspec.json.decode(answer.plain or b"{}")
            if answer.ret != Ret.OK or said.get("SuccStat") != 0:
                wrong[f"Ret {answer.ret} SuccStat {said.get('SuccStat')} {said.get('FailReason')}"] += 1
        return checked


def _keys(caller: str) -> KeySet:
    """Those of the callee, who is the hub unless the hub calls."""
    return ours(caller) if caller in {TCEC_HOST, TCEC_HOME} else theirs(TCEC_HOST)


def _text(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _decimals(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"
