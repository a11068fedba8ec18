"""The vectors of T/CEC 102.4 that are published, and some of our own against regression.

Published keys are part of the examples; no platform uses them.
"""

from dataclasses import dataclass

from operator_sdk.contract.tcec102.keys import KeySet

PUBLISHED_KEYS = KeySet(
    operator_secret="1234567890abcdef",
    data_secret="1234567890abcdef",
    data_secret_iv="1234567890abcdef",
    sig_secret="1234567890abcdef",
)
OWN_KEYS = KeySet(
    operator_secret="1234567890abcdef",
    data_secret="1234567890abcdef",
    data_secret_iv="abcdef1234567890",
    sig_secret="fedcba0987654321",
)
OPERATOR_ID = "123456789"


@dataclass(frozen=True)
class Vector:
    """Plaintext, Data and Sig; `before` and `after` are what the signature covers around Data."""

    name: str
    keys: KeySet
    plain: bytes
    data: str
    before: str
    after: str
    sig: str


# As printed in the standard: not JSON, for the comma at the end.
_STANDARD_PLAIN = (
    b'{"total":1,"stationStatusInfo":{"operationID":"123456789","stationID":"111111111111111",'
    b'"connectorStatusInfos":{"connectorID":1,"equipmentID":"10000000000000000000001","status":4,'
    b'"currentA":0,"currentB":0,"currentC":0,"voltageA":0,"voltageB":0,"voltageC":0,"soc":10,}}}'
)
_STANDARD_DATA = (
    "il7B0BSEjFdzpyKzfOFpvg/Se1CP802RItKYFPfSLRxJ3jf0bVl9hvYOEktPAYW2nd7S8MBcyHYyacHKbISq5iTmDzG+ivnR+SZJv3US"
    "NTYVMz9rCQVSxd0cLlqsJauko79NnwQJbzDTyLooYoIwz75qBOH2/xOMirpeEqRJrF/EQjWekJmGk9RtboXePu2rka+Xm51syBPhiXJA"
    "q0GfbfaFu9tNqs/e2Vjja/ltE1M0lqvxfXQ6da6HrThsm5id4ClZFIi0acRfrsPLRixS/IQYtksxghvJwbqOsbIsITail9Ayy4tKcoge"
    "EZiOO+4Ed264NSKmk7l3wKwJLAFjCFogBx8GE3OBz4pqcAn/ydA="
)
_TOKEN_DATA = "mYvffpNoFf4E/ZTC1tOw41TC5OlkEobfAYCm5N8hEusaLUaUIqOrXtdbMrSck0DSmfM7mRuOGMoCQzH0nWPGuw=="
_TOKEN_ANSWER_DATA = (
    "uxeKP0ezR5yL8xSg4/ZCDh/N91/u86NXFxd2DrwZVW8zCPYcpl59Twz/yQZ3RaO4rDDrGmkvQignmNEJ+k4PGxdmIC+4fpJ8rU6osSob"
    "Y+AeA0uueuQ5+eQiWBL6p6v5XMMm91brtK8yfFELYUWQzVcxABnAwK/+dyxtUhqLIxUpkwTEU/4ktN40df9IzzlLO5uvUknPGYu9yL0p"
    "p5w9vdRxmA1RiiTDNCysz6klr9bunGV3VJa2qpLcgeZMf/oG"
)
_OWN = (
    (
        "{}",
        "MsJwj0xFmo54IAI2DVUj+Q==",
        "85AE2856F9FD8621CC465B613E48C035",
        "9B29B90DD690611442A6186598D2773B",
    ),
    (
        '{"StationName":"上海示例充电站"}',
        "YDLVq9RKIfet1EkZW33pTiUd2n8lA6ORnwOTUIxuRcoa+234eXwNsddFCsyRcrhg",
        "4E5E9BA6DB2DB190AE6622CC83F497F8",
        "F72DB810DCB747F172B5CC4FAF882982",
    ),
    (
        "0123456789abcdef",
        "My1Lp2+eUKStN8CA0kqaX/GNOmlWwMMI9ZetH7Z06JQ=",
        "E889CAB37C1233354F812C7CE58E0BAB",
        "60167874495A2BB5C69C52FFD8FC9DB4",
    ),
)
_TOKEN_ANSWER_PLAIN = (
    b'{\r\n  "OperatorID": "123456789",\r\n  "SuccStat": 0,\r\n  "AccessToken": '
    b'"kVnStIRknCCOBdXgJrmu8rb3pcccifKW2NcQrysKKIzb7iQBxkkjeq3WoGdjgrIL",\r\n  '
    b'"TokenAvailableTime": 7200,\r\n  "FailReason": 0\r\n}'
)

PUBLISHED = (
    Vector(
        "standard part 4, annexes B and C",
        PUBLISHED_KEYS,
        _STANDARD_PLAIN,
        _STANDARD_DATA,
        OPERATOR_ID,
        "201607291424000001",
        "745166E8C43C84D37FFEC0F529C4136F",
    ),
    Vector(
        "query_token request of an open platform",
        PUBLISHED_KEYS,
        b'{"OperatorID":"123456789",\n"OperatorSecret":"1234567890abcdef"}',
        _TOKEN_DATA,
        OPERATOR_ID,
        "201801201657550001",
        "D2D584A14F3F284445DF85D0E8C0697C",
    ),
    Vector(
        "query_token answer of an open platform",
        PUBLISHED_KEYS,
        _TOKEN_ANSWER_PLAIN,
        _TOKEN_ANSWER_DATA,
        "0",
        "",
        "58E52010C7DEE87FE183B0AFA5B2BE30",
    ),
)
OWN = (
    *(
        Vector(
            f"own request {text[:12]}", OWN_KEYS, text.encode(), data, OPERATOR_ID, "202601010000000001", sig
        )
        for text, data, sig, _ in _OWN
    ),
    *(
        Vector(f"own answer {text[:12]}", OWN_KEYS, text.encode(), data, "0成功", "", sig)
        for text, data, _, sig in _OWN
    ),
)
VECTORS = (*PUBLISHED, *OWN)

UNVERIFIED_SIG = "9CF107B283E6C9DB44D1CC810476B498"
"""Printed by others beside the first vector, with this key or the next; it fits neither."""
UNVERIFIED_SIG_SECRET = "v3i46R8Rsh1CEstf"
