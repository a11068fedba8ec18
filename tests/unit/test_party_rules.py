"""Rules of parties: which addresses a partner may have, which roles there are, when a login is locked."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.parties.model import BUNDLES, FUNCTIONS, Failures, PartyProblem, check_base_url, functions_of
from hub.parties.passwords import Cost, hash_password, nobodys_hash, password_fits
from operator_sdk.contract.operations import HUB, Scope

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
CHEAP = Cost(n=16, r=1, p=1)


@pytest.mark.parametrize(
    "url", ["https://hub.operator.cn", "https://a-b.c1.com.cn:8443/roaming/v1", "https://xn--fiqs8s.cn/"]
)
def test_production_takes_https_at_a_registered_name(url: str) -> None:
    assert check_base_url(url, relaxed=False) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://operator.cn",
        "ftp://operator.cn",
        "https://operator",
        "https://localhost",
        "https://hub.local",
        "https://hub.internal",
        "https://10.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.1",
        "https://[::1]",
        "https://user@operator.cn",
        "https://user:word@operator.cn",
        "https://@operator.cn",
        "https://operator.cn?x=1",
        "https://operator.cn/?",
        "https://operator.cn#x",
        "https://operator.cn/a/../b",
        "https://operator.cn/%2e%2e",
        "https://operator.cn\\@evil.cn",
        "https://operator.cn\t.evil.cn",
        "https://operator.cn:99999",
        "https://operator.cn:0",
        "https://-a.cn",
        "https://a..cn",
        "https://操作员.cn",
        "https://",
        "operator.cn",
        "",
    ],
)
def test_production_refuses_every_other_address(url: str) -> None:
    with pytest.raises(PartyProblem):
        check_base_url(url, relaxed=False)


PUBLIC = ["http://operator.cn", "http://8.8.8.8:8080", "https://8.8.8.8:8443", "http://[2400:3200::1]:8080"]


@pytest.mark.parametrize("url", PUBLIC)
def test_production_takes_http_and_public_addresses_where_a_partner_is_called_plainly(url: str) -> None:
    assert check_base_url(url, relaxed=False, plain=True) == url
    with pytest.raises(PartyProblem):
        check_base_url(url, relaxed=False)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[2400:3200::1%25eth0]",
        "localhost",
        "host-a",
        "hub.internal",
        "user@8.8.8.8",
    ],
)
def test_no_partner_is_called_plainly_at_an_address_that_is_not_public(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(PartyProblem):
            check_base_url(f"{scheme}://{host}", relaxed=False, plain=True)
    with pytest.raises(PartyProblem):
        check_base_url("ftp://8.8.8.8", relaxed=False, plain=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://[::1]:9000", "http://host-a:80/x"])
def test_demo_and_test_take_private_addresses(url: str) -> None:
    assert check_base_url(url, relaxed=True) == url


@pytest.mark.parametrize("url", ["http://u@127.0.0.1", "http://127.0.0.1?x", "ftp://127.0.0.1", "http://"])
def test_demo_and_test_still_refuse_what_is_no_address(url: str) -> None:
    with pytest.raises(PartyProblem):
        check_base_url(url, relaxed=True)


def test_every_staff_operation_needs_a_function_that_exists() -> None:
    needed = {op.role for op in HUB.values() if op.scopes == {Scope.STAFF}}
    assert needed == FUNCTIONS


def test_bundles_stand_for_single_functions() -> None:
    assert all(functions <= FUNCTIONS for functions in BUNDLES.values())
    assert functions_of(["onlooker", "outbox"]) == {"parties_read", "outbox"}
    assert functions_of(["admin"]) == FUNCTIONS
    with pytest.raises(PartyProblem):
        functions_of(["admin", "emperor"])


def test_the_fifth_failure_in_a_row_locks_for_fifteen_minutes() -> None:
    failures = Failures()
    for minute in range(5):
        assert failures.locked_until(NOW + timedelta(minutes=minute)) is None
        failures = failures.one_more(NOW + timedelta(minutes=minute))
    last = NOW + timedelta(minutes=4)
    assert failures.locked_until(last) == last + timedelta(minutes=15)
    assert failures.locked_until(last + timedelta(minutes=15)) is None
    assert failures.one_more(last + timedelta(minutes=15)).count == 1


def test_a_password_fits_its_own_hash_only_and_salts_differ() -> None:
    first, second = (hash_password("correct horse 电池", CHEAP) for _ in range(2))
    assert first != second
    assert password_fits("correct horse 电池", first)
    assert not password_fits("correct horse 电池 ", first)
    assert not password_fits("", nobodys_hash(CHEAP))


def test_parameters_are_read_from_the_hash_not_from_the_present_cost() -> None:
    assert password_fits("secret words here", hash_password("secret words here", Cost(n=32, r=2, p=2)))
    assert len(hash_password("x" * 200, Cost())) <= 200
