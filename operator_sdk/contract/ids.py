"""Ids: hub ids are a prefix and a UUIDv7 as text, so that they sort by time of making."""

SESSION, AUTHORIZATION, RECORD, OBLIGATION, CYCLE = "ses", "aut", "rec", "obl", "cyc"
CUSTOMER, SCAN, LETTER, AGREEMENT, POSTING, HOLD = "cus", "sca", "let", "agr", "pos", "hld"
DISPUTE, SUSPENSE, CHECK, PAYMENT = "dsp", "sus", "chk", "pay"
FAULT, ORDER, ALARM = "flt", "wo", "alm"


def uuid7_text(unix_ms: int, random_bits: int) -> str:
    """A UUIDv7 (RFC 9562 section 5.7) from Unix milliseconds and 74 random bits."""
    value = (unix_ms & (1 << 48) - 1) << 80
    value |= 0x7 << 76
    value |= (random_bits >> 62 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random_bits & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def hub_id(prefix: str, unix_ms: int, random_bits: int) -> str:
    """A hub id such as `ses_0198...`."""
    return f"{prefix}_{uuid7_text(unix_ms, random_bits)}"


def connector_ref(party_id: str, connector_id: str) -> str:
    """`{connector_id}.{party_id}`."""
    return f"{connector_id}.{party_id}"


def split_connector(ref: str) -> tuple[str, str]:
    """(party_id, connector_id) of a connector's text form."""
    connector_id, _, party_id = ref.rpartition(".")
    return party_id, connector_id
