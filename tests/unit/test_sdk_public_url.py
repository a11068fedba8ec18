"""A hub that is reached by another address than its own: what is dialled, and what is signed."""

from operator_sdk.client.request import Call, Signing, build, encode_body, hub_operation
from operator_sdk.contract.messages.roaming import StopReply, StopRequest
from operator_sdk.contract.signing import read_claims, verify_request
from operator_sdk.keys import new_key

TUNNEL, HUB = "http://127.0.0.1:7001", "https://hub.example"


def test_a_request_goes_to_the_tunnel_and_is_signed_for_the_hub():
    key = new_key()
    call = Call(hub_operation("stop_session"), StopReply, StopRequest(stop_ref="s-1"), {"session_id": "ses_1"})
    body = encode_body(call)
    prepared = build(
        call,
        body,
        base_url=f"{TUNNEL}/",
        public_url=f"{HUB}/",
        request_id="req-1",
        signing=Signing(key, 1_800_000_000, "n" * 22),
    )
    assert prepared.url == f"{TUNNEL}/v1/sessions/ses_1/stop"
    verify_request(
        read_claims(prepared.headers["signature-input"], prepared.headers["signature"]),
        key.private.public_key(),
        method="POST",
        target_uri=f"{HUB}/v1/sessions/ses_1/stop",
        body=body,
        digest_header=prepared.headers["content-digest"],
        now_s=1_800_000_000,
    )
