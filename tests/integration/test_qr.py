"""From the hub's key to the label: a host prints its own, and what is printed is what a driver can scan."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mobile_bff.commands import qr
from operator_sdk import NotFound, save_key
from operator_sdk.contract.messages.places import ConnectorCode
from operator_sdk.contract.messages.roaming import ScanRequest
from operator_sdk.contract.operations import HUB
from tests.qr_reader import matrix_of_image, matrix_of_svg, read_matrix
from tests.rig import A, B, C, D, Rig, open_rig
from tests.rig_raw import send


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def test_a_host_gets_the_codes_of_its_connectors(rig: Rig) -> None:
    code = await rig.client(A).get_connector_code(f"A1.{A}")
    assert code == ConnectorCode(
        connector=f"A1.{A}",
        url=rig.hub.roaming.scans.url_for(f"A1.{A}"),
        hlht=f"hlht://A1.{A}/",
        hub_name="Interpile",
        station_id="S1",
        station_name="一站",
        pile_id="P1",
        kind="dc",
        rated_power_w=60_000,
    )
    listed = (await rig.client(A).list_connector_codes(A, "S1")).items
    assert [one.connector for one in listed] == [f"A1.{A}", f"A2.{A}"]
    assert listed[0] == code
    for text in (code.url, code.hlht):
        assert (await rig.driver().scan(ScanRequest(code=text))).connector == f"A1.{A}"


async def test_nobody_gets_anothers_codes_but_staff(rig: Rig) -> None:
    paths = {
        "get_connector_code": f"/v1/connectors/A1.{A}/code",
        "list_connector_codes": f"/v1/stations/{A}/S1/codes",
    }
    clerk, onlooker = await rig.staff_token("clerk", "stations"), await rig.staff_token("looker", "onlooker")
    for name, path in paths.items():
        said = {}
        for who, subject, token in (
            (A, None, None), (B, None, None), (D, None, None), (C, "d1", None),
            ("clerk", None, clerk), ("onlooker", None, onlooker),
        ):  # fmt: skip
            party = "" if token else who
            answer = await send(rig, HUB[name], path, b"", party=party, subject=subject, token=token)
            said[who] = answer.status_code
        assert said == {A: 200, B: 403, D: 404, C: 403, "clerk": 200, "onlooker": 403}, name
    with pytest.raises(NotFound):
        await rig.client(A).get_connector_code(f"A9.{A}")
    with pytest.raises(NotFound):
        await rig.client(A).list_connector_codes(A, "S9")


async def test_codes_leave_with_their_connector(rig: Rig) -> None:
    await rig.hub.directory.remove_station(A, "S1")
    with pytest.raises(NotFound):
        await rig.client(A).get_connector_code(f"A1.{A}")
    with pytest.raises(NotFound):
        await rig.client(A).list_connector_codes(A, "S1")


# The command.


class Terminal:
    """`interpile qr` as operator A calls it."""

    def __init__(self, rig: Rig, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._url, self._capsys = rig.url, capsys
        self._key = folder / "a.jwk"
        save_key(rig.a.key, self._key)
        self.out, self.err = "", ""

    async def __call__(self, *words: str, party_id: str = A) -> int:
        """Run it in a thread, as the hub lives in this loop."""
        self._capsys.readouterr()
        given = [*words, "--party-id", party_id, "--key", str(self._key), "--hub", self._url]
        code = await asyncio.to_thread(qr, given)
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def interpile_qr(rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(rig, tmp_path, capsys)


async def test_png_and_svg_hold_the_signed_url(rig: Rig, interpile_qr: Terminal, tmp_path: Path) -> None:
    url = rig.hub.roaming.scans.url_for(f"A1.{A}")
    for name in ("c1.png", "c1.svg"):
        assert await interpile_qr(f"A1.{A}", "--out", str(tmp_path / name)) == 0, interpile_qr.err
        assert url in interpile_qr.out
    image = Image.open(BytesIO((tmp_path / "c1.png").read_bytes()))
    assert read_matrix(matrix_of_image(image)) == url
    assert read_matrix(matrix_of_svg((tmp_path / "c1.svg").read_text())) == url
    assert (await rig.driver().scan(ScanRequest(code=url))).connector == f"A1.{A}"


async def test_of_a_station_each_connector_has_its_file(interpile_qr: Terminal, tmp_path: Path) -> None:
    assert await interpile_qr("S1", "--hlht", "--out", str(tmp_path / "s.png")) == 0
    for plug in ("A1", "A2"):
        image = Image.open(tmp_path / f"s-{plug}.{A}.png")
        assert read_matrix(matrix_of_image(image)) == f"hlht://{plug}.{A}/"


async def test_a_sheet_has_a_label_for_each(interpile_qr: Terminal, tmp_path: Path) -> None:
    assert await interpile_qr("S1", f"A1.{A}", "--out", str(tmp_path / "l.pdf")) == 0
    assert "3 labels" in interpile_qr.out
    assert (tmp_path / "l.pdf").read_bytes().startswith(b"%PDF")


async def test_what_cannot_be_drawn_is_one_line(rig: Rig, interpile_qr: Terminal, tmp_path: Path) -> None:
    out = str(tmp_path / "x.pdf")
    for words, says in (
        (("", "--out", out), "has a name"),
        (("S9", "--out", out), "no connector or station S9"),
        ((f"A9.{A}", "--out", out), "no connector or station A9"),
        (("A1.MA5DDDDD4", "--out", out), "no connector or station A1.MA5DDDDD4"),
        (("S1", "--out", str(tmp_path / "x.gif")), ".pdf, .png or .svg"),
        (("S1", "--out", str(tmp_path / "none" / "x.pdf")), "cannot write"),
        (("S1", "--out", out, "--font", __file__), "not a TrueType font"),
        (("S1", "--out", out, "--key", str(tmp_path / "none")), "cannot read the key"),
        (("S1", "--out", out, "--hub", "http://127.0.0.1:1"), "no connection"),
    ):
        # The last of an option given twice is the one that counts.
        assert await run_last(interpile_qr, words) == 1, words
        assert says in interpile_qr.err, (words, interpile_qr.err)
        assert interpile_qr.err.count("\n") == 1
    assert await interpile_qr("S1", "--out", out, party_id=B) == 1
    assert "Traceback" not in interpile_qr.err
    assert not (tmp_path / "x.pdf").exists()


async def run_last(terminal: Terminal, words: tuple[str, ...]) -> int:
    """With these words behind the usual ones."""
    terminal._capsys.readouterr()
    usual = ["--party-id", A, "--key", str(terminal._key), "--hub", terminal._url]
    code = await asyncio.to_thread(qr, [*usual, *words])
    terminal.out, terminal.err = terminal._capsys.readouterr()
    return code


async def test_who_one_is_may_come_from_the_environment(
    rig: Rig, interpile_qr: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR_PARTY_ID", A)
    monkeypatch.setenv("OPERATOR_KEY_FILE", str(tmp_path / "a.jwk"))
    monkeypatch.setenv("OPERATOR_HUB_URL", rig.url)
    assert await asyncio.to_thread(qr, ["S1", "--out", str(tmp_path / "l.pdf")]) == 0


def test_help_names_what_one_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert qr(["--help"]) == 0
    text = capsys.readouterr().out
    for word in ("interpile qr", "CONNECTOR|STATION", "--out", "--hlht", "OPERATOR_KEY_FILE", "labels.pdf"):
        assert word in text
    assert qr(["S1"]) == 2
