"""Adding partners that speak T/CEC 102: by command with a profile, and in no other way."""

from pathlib import Path

import pytest

from hub.core.errors import HubError
from hub.parties.link import Capability, PullPlan
from hub.protocols.tcec102.tables import ProfileRow
from hub.settings import Settings, SettingsError
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.admin import PartyAdd
from operator_sdk.contract.tcec102.profile import read_profile
from tests.integration.test_commands import Terminal, hub_at, interpile
from tests.tcec102_gate import HOME, HOST, open_world, profile_text, secret_table

__all__ = ["hub_at", "interpile"]

pytestmark = pytest.mark.integration

TRUSTED = '[pricing]\nmode = "trust"\nestimate_electricity = "0.8"\nestimate_service = "0.4"'
EARLY = '\n[stations]\nfull_at = "01:30"\nincremental_s = 60'


async def test_over_the_api_a_partner_cannot_be_added_without_its_profile() -> None:
    add = PartyAdd(
        party_id=HOST, name="X", roles=[Role.HOST], protocol="tcec102", base_url="http://host.example"
    )
    async with open_world() as world:
        with pytest.raises(HubError, match="rule_violated") as refused:
            await world.hub.parties.add_party(add, actor="test")
        assert "profile" in refused.value.details["reason"]


async def test_the_same_profile_again_changes_nothing_and_another_is_refused() -> None:
    async with open_world() as world:
        profiles = world.hub.tcec102.profiles
        await profiles.add(profile_text(), "test")
        before = await world.rows()
        await profiles.add(profile_text(), "test")
        assert await world.rows() == before
        with pytest.raises(HubError, match="id_reused"):
            await profiles.add(profile_text(ours=("o2",)), "test")
        assert await world.rows() == before


async def test_a_replaced_profile_moves_the_party_and_leaves_its_roles() -> None:
    async with open_world() as world:
        profiles = world.hub.tcec102.profiles
        await profiles.add(profile_text(), "test")
        moved = profile_text(rest='prefix = "/v2"').replace(f"{HOST.lower()}.example", "elsewhere.example")
        assert await profiles.replace(HOST, moved, "test") == 2
        page = await world.hub.parties.list_parties()
        urls = {party.party_id: party.base_url for party in page.items}
        assert urls[HOST] == "http://elsewhere.example"
        assert (await profiles.of(HOST)).profile.path_of("query_token") == "/v2/query_token"
        before = await world.rows()
        with pytest.raises(HubError, match="rule_violated"):
            await profiles.replace(HOST, profile_text(roles='["host", "home"]'), "test")
        assert await world.rows() == before


async def test_a_profile_that_cannot_be_read_costs_its_own_partner_only() -> None:
    async with open_world() as world:
        for text in (profile_text(), profile_text(HOME, '["home"]')):
            await world.hub.tcec102.profiles.add(text, "test")
        async with world.hub.database.unit() as unit:
            row = await unit.session.get(ProfileRow, HOST)
            other = await unit.session.get(ProfileRow, HOME)
            assert row is not None
            assert other is not None
            row.secrets = other.secrets  # sealed for another party
            row.revision += 1
        world.hub.tcec102.profiles._forget()
        assert [one.party_id for one in await world.hub.tcec102.profiles.every()] == [HOME]


async def test_in_production_a_partner_is_called_over_https_at_a_registered_name() -> None:
    async with open_world() as world:
        world.hub.parties._relaxed = False
        for url in ("http://host.example", "https://10.0.0.1"):
            text = profile_text().replace(f"http://{HOST.lower()}.example", url)
            with pytest.raises(HubError, match="rule_violated"):
                await world.hub.tcec102.profiles.add(text, "test")


async def test_a_partners_roles_and_profile_say_what_its_link_can_do() -> None:
    async with open_world() as world:
        for text in (
            profile_text(),
            profile_text(HOME, '["home"]', rest="[push]\nstation_status = false"),
            profile_text("MA5TCEC03", '["host", "home"]', rest=TRUSTED + EARLY),
        ):
            await world.hub.tcec102.profiles.add(text, "test")
        host, home, mixed = [await world.hub.links.of(party) for party in (HOST, HOME, "MA5TCEC03")]
    assert {Capability.START, Capability.QUERY_TARIFF} <= host.capabilities
    assert {Capability.PUSH_RECORD, Capability.CHECK_RECORDS} <= home.capabilities
    assert not host.capabilities & home.capabilities
    assert Capability.PUSH_STATUS not in home.capabilities
    assert {Capability.START, Capability.PUSH_STATUS} <= mixed.capabilities
    assert Capability.QUERY_TARIFF not in mixed.capabilities
    # All stations every night, and what changed in between; a home's are asked of nobody.
    assert [link.pull_plan() for link in (host, home, mixed)] == [PullPlan(120, 600), None, PullPlan(90, 60)]
    for link in (host, home, mixed):
        assert Capability.AUTHORIZE not in link.capabilities
        assert (link.link_protocol, link.carries_limits, link.push_every_s) == ("tcec102", False, 50)


def test_the_hubs_own_operator_id_is_checked() -> None:
    assert Settings.from_env({"INTERPILE_OPERATOR_ID": "395815801"}).operator_id == "395815801"
    for wrong in ("39581580", "39581580a", "395815801 "):
        with pytest.raises(SettingsError, match="INTERPILE_OPERATOR_ID"):
            Settings.from_env({"INTERPILE_OPERATOR_ID": wrong})


def test_a_partner_is_added_shown_and_rotated_by_command(interpile: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "partner.toml"
    file.write_text(profile_text(), "utf-8")
    added = interpile.json(f"party add --protocol tcec102 --profile {file} --deposit-fen 5")
    assert (added["party_id"], added["protocol"], added["roles"]) == (HOST, "tcec102", ["host"])
    assert added["base_url"] == f"http://{HOST.lower()}.example"
    file.write_text(profile_text(ours=("o1", "o2"), rest='serve_prefix = "/x/v2"'), "utf-8")
    assert interpile.json(f"tcec102 profile replace {HOST} {file}")["revision"] == 2
    shown = interpile.json(f"tcec102 profile show {HOST}")
    assert (shown["serve_prefix"], shown["revision"]) == ("/x/v2", 2)
    keys = interpile.json(f"tcec102 profile keys {HOST}")
    assert [one["key set"] for one in keys] == ["o1", "o2", "t1"]
    said = interpile.out
    for line in (f"profile show {HOST}", f"profile keys {HOST}", "gaps", "names A1"):
        assert interpile(f"tcec102 {line}") == 0, interpile.err
        said += interpile.out
    assert interpile(f"tcec102 tolerated {HOST}") == 0
    assert "-operator" not in said
    assert "-sig" not in said


def test_what_is_shown_of_a_profile_is_a_file_of_it_without_the_key_sets(
    interpile: Terminal, tmp_path: Path
) -> None:
    odd = '[numbers]\nas_strings = true\n[ret.theirs]\n4015 = 0\n-7 = -1\n[paths]\nquery_token = "/t/k"\n'
    text = profile_text(rest=f'{odd}[network]\naddresses = ["203.0.113.0/24", "10.0.0.1"]').replace(
        f'"Operator {HOST}"', '"特来电 \\"T\\""'
    )
    file = tmp_path / "partner.toml"
    file.write_text(text, "utf-8")
    interpile.json(f"party add --protocol tcec102 --profile {file}")
    assert interpile(f"tcec102 profile show {HOST}") == 0, interpile.err
    keys = secret_table("ours", "o1") + secret_table("theirs", "t1")
    assert interpile.out.startswith("# revision 1\n")
    assert read_profile(interpile.out + keys) == read_profile(text)


REFUSED = (
    ("party add --protocol tcec102", 2, "go together"),
    ("party add --profile FILE --name X --protocol tcec102", 2, "are in the profile"),
    ("party add MA5OTHER1 --profile FILE --protocol tcec102", 1, "the profile is of"),
    ("party add MA5OTHER1 --name X", 2, "needed"),
    ("tcec102 profile replace MA5TCEC01 FILE", 1, "not_found"),
    ("tcec102 profile replace MA5OTHER1 FILE", 1, "the profile is of"),
    ("tcec102 profile show MA5OTHER1", 1, "not_found"),
    ("tcec102 stats MA5OTHER1 S1 2026-03-01 2026-03-02", 1, "not_found"),
    ("party add --protocol tcec102 --profile MISSING", 1, "cannot be read"),
    ("party add --protocol tcec102 --profile BROKEN", 1, "secrets"),
)


def test_what_a_command_cannot_do_it_says(interpile: Terminal, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name.lower()}.toml" for name in ("FILE", "MISSING", "BROKEN")}
    files["FILE"].write_text(profile_text(), "utf-8")
    files["BROKEN"].write_text(profile_text(ours=(), theirs=()), "utf-8")
    for line, code, says in REFUSED:
        words = " ".join(str(files.get(word, word)) for word in line.split())
        assert interpile(words) == code, line
        assert says in interpile.err, line
