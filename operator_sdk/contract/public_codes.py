"""The one table of public codes: what a refusal or an error is called, its HTTP status and its words.

Statuses: 400 malformed, 401 not signed in, 403 the caller's role may not, 404 unknown or somebody else's,
409 state or in progress, 422 a rule or an id used again, 429 and 503 with Retry-After.
"""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every code that an error body or a refusal can carry."""

    # refusals: decided answers, carried in the `refusal` field of a reply
    TOKEN_UNKNOWN = "token_unknown"
    TOKEN_BLOCKED = "token_blocked"
    TOKEN_EXPIRED = "token_expired"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    HOME_UNAVAILABLE = "home_unavailable"
    HOME_EXPOSURE_EXCEEDED = "home_exposure_exceeded"
    NO_AGREEMENT = "no_agreement"
    CONNECTOR_UNKNOWN = "connector_unknown"
    CONNECTOR_FAULTED = "connector_faulted"
    CONNECTOR_BUSY = "connector_busy"
    CONNECTOR_OFFLINE = "connector_offline"
    CONNECTOR_UNPLUGGED = "connector_unplugged"
    TARIFF_UNKNOWN = "tariff_unknown"
    START_NOT_SUPPORTED_BY_HOME = "start_not_supported_by_home"
    START_NOT_SUPPORTED_BY_HOST = "start_not_supported_by_host"
    HOST_UNAVAILABLE = "host_unavailable"
    HOST_REFUSED = "host_refused"
    PRICE_CHANGED = "price_changed"
    RELEASED = "released"
    # scans
    CODE_FORGED = "code_forged"
    CODE_UNKNOWN = "code_unknown"
    SCAN_UNKNOWN = "scan_unknown"
    SCAN_EXPIRED = "scan_expired"
    SCAN_USED = "scan_used"
    # errors of the call
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_INVALID = "token_invalid"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_STALE = "signature_stale"
    REPLAYED = "replayed"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IN_PROGRESS = "in_progress"
    STATE_CONFLICT = "state_conflict"
    ID_REUSED = "id_reused"
    RULE_VIOLATED = "rule_violated"
    SECOND_PERSON_NEEDED = "second_person_needed"
    SIGN_IN_FAILED = "sign_in_failed"
    LOCKED_OUT = "locked_out"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Meaning:
    """HTTP status and the words a person reads, Chinese and English."""

    status: int
    zh: str
    en: str


PUBLIC_CODES: dict[Code, Meaning] = {
    Code.TOKEN_UNKNOWN: Meaning(422, "身份凭证未知", "No home operator knows this token."),
    Code.TOKEN_BLOCKED: Meaning(422, "身份凭证已被冻结", "The home operator has blocked this token."),
    Code.TOKEN_EXPIRED: Meaning(422, "身份凭证已过期", "This token has expired."),
    Code.INSUFFICIENT_FUNDS: Meaning(422, "余额不足", "The balance does not cover the hold."),
    Code.HOME_UNAVAILABLE: Meaning(422, "客户归属运营商无应答", "The home operator did not answer."),
    Code.HOME_EXPOSURE_EXCEEDED: Meaning(
        422, "客户归属运营商超出敞口额度", "The home operator's exposure limit is reached."
    ),
    Code.NO_AGREEMENT: Meaning(422, "双方没有互通协议", "The two operators have no agreement."),
    Code.CONNECTOR_UNKNOWN: Meaning(422, "充电枪不存在", "This connector is not known."),
    Code.CONNECTOR_FAULTED: Meaning(422, "充电枪故障", "This connector reports a fault."),
    Code.CONNECTOR_BUSY: Meaning(422, "充电枪使用中", "This connector is in use."),
    Code.CONNECTOR_OFFLINE: Meaning(422, "充电枪离线", "This connector is offline."),
    Code.CONNECTOR_UNPLUGGED: Meaning(422, "请先插好充电枪", "Plug the vehicle in first, then start again."),
    Code.TARIFF_UNKNOWN: Meaning(422, "充电枪没有有效电价", "This connector has no tariff in force."),
    Code.START_NOT_SUPPORTED_BY_HOME: Meaning(
        422, "归属运营商不支持此启动方式", "The home operator's link cannot start this way."
    ),
    Code.START_NOT_SUPPORTED_BY_HOST: Meaning(
        422, "设施运营商不支持此启动方式", "The host operator's link cannot start this way."
    ),
    Code.HOST_UNAVAILABLE: Meaning(422, "设施运营商无应答", "The host operator did not answer."),
    Code.HOST_REFUSED: Meaning(422, "设施运营商拒绝启动", "The host operator refused to start."),
    Code.PRICE_CHANGED: Meaning(422, "电价已变更,请重新扫码", "The price has changed; scan again."),
    Code.RELEASED: Meaning(422, "鉴权已释放", "The authorization was released."),
    Code.CODE_FORGED: Meaning(422, "二维码校验失败", "The code's check value is wrong."),
    Code.CODE_UNKNOWN: Meaning(422, "无法识别的二维码", "The code names no connector known here."),
    Code.SCAN_UNKNOWN: Meaning(422, "扫码记录不存在", "This scan is not known."),
    Code.SCAN_EXPIRED: Meaning(422, "扫码已过期,请重新扫码", "The scan has expired; scan again."),
    Code.SCAN_USED: Meaning(422, "扫码已使用", "The scan was used already."),
    Code.MALFORMED: Meaning(400, "请求格式错误", "The request is malformed."),
    Code.TOO_LARGE: Meaning(413, "请求过大", "The request is too large."),
    Code.UNAUTHENTICATED: Meaning(401, "缺少访问令牌", "An access token is needed."),
    Code.TOKEN_INVALID: Meaning(401, "访问令牌无效或已过期", "The access token is wrong or expired."),
    Code.SIGNATURE_MISSING: Meaning(401, "缺少签名", "This message must be signed."),
    Code.SIGNATURE_INVALID: Meaning(401, "签名错误", "The signature does not match."),
    Code.SIGNATURE_STALE: Meaning(401, "签名时间超出窗口", "The signature is outside its time window."),
    Code.REPLAYED: Meaning(401, "重放的请求", "This signed request was seen before."),
    Code.FORBIDDEN: Meaning(403, "角色无权执行", "Your role may not do this."),
    Code.NOT_FOUND: Meaning(404, "不存在", "Nothing here by that name."),
    Code.METHOD_NOT_ALLOWED: Meaning(405, "方法不允许", "This method is not offered here."),
    Code.IN_PROGRESS: Meaning(409, "同一请求处理中", "The same request is still being worked on."),
    Code.STATE_CONFLICT: Meaning(409, "当前状态不允许", "The present state does not allow this."),
    Code.ID_REUSED: Meaning(422, "编号已用于另一请求", "This id was used for another request."),
    Code.RULE_VIOLATED: Meaning(422, "违反业务规则", "A rule does not allow this."),
    Code.SECOND_PERSON_NEEDED: Meaning(409, "需要另一人复核", "A second person must approve this."),
    Code.SIGN_IN_FAILED: Meaning(401, "登录失败", "Sign-in failed."),
    Code.LOCKED_OUT: Meaning(429, "尝试过多,账户已锁定", "Too many attempts; locked for a while."),
    Code.TOO_MANY_REQUESTS: Meaning(429, "请求过于频繁", "Too many requests."),
    Code.INTERNAL: Meaning(500, "内部错误", "Something went wrong here."),
    Code.UNAVAILABLE: Meaning(503, "服务暂不可用", "The service is not available just now."),
}


def http_status(code: str) -> int:
    """The HTTP status of a public code; a code this version does not know counts as 422."""
    try:
        return PUBLIC_CODES[Code(code)].status
    except ValueError:
        return 422
