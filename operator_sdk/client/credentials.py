"""Who the caller is: an operator with a key, or whoever holds a token."""

from dataclasses import dataclass, field
from datetime import datetime

from operator_sdk.clock import unix_s
from operator_sdk.contract.messages.access import TokenRequest
from operator_sdk.contract.signing import SigningKey
from operator_sdk.keys import sign_token

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S = 120


@dataclass(frozen=True, slots=True)
class OperatorCredentials:
    """An operator: signs messages with its key and obtains access tokens with it."""

    party_id: str
    key: SigningKey = field(repr=False)

    def token_request(self, *, issuer: str, now: datetime, token_id: str) -> TokenRequest:
        """OAuth 2 client credentials with `private_key_jwt`; `token_id` is used once."""
        issued = unix_s(now)
        assertion = sign_token(
            self.key,
            {
                "iss": self.party_id,
                "sub": self.party_id,
                "aud": issuer,
                "jti": token_id,
                "iat": issued,
                "exp": issued + ASSERTION_LIFE_S,
            },
        )
        return TokenRequest(
            grant_type="client_credentials",
            client_assertion_type=ASSERTION_TYPE,
            client_assertion=assertion,
            client_id=self.party_id,
        )


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A driver's or a staff member's token, obtained elsewhere."""

    token: str = field(repr=False)


Credentials = OperatorCredentials | BearerToken
