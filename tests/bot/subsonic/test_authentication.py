"""Logins of the Subsonic protocol: right ones in every form, wrong ones with their code."""

from __future__ import annotations

import pytest

from bot.http_api.gate import WRONG_LOGINS
from bot.subsonic.authentication import Credentials, log_in
from bot.subsonic.parameters import Parameters
from bot.subsonic.subsonic_responses import SubsonicError
from tests.bot.http_api.conftest import Interface
from tests.bot.subsonic.conftest import KEY, PASSWORD, USER, Client, token

KNOWN = Credentials(user=USER, password=PASSWORD, api_key=KEY)
COMMON = {"v": "1.16.1", "c": "test"}
HEX = PASSWORD.encode().hex()
TOKEN = {name: value for name, value in token().items() if name in "ts"}


@pytest.mark.parametrize(
    "given",
    [
        {"u": USER, "p": PASSWORD},
        {"u": USER, "p": f"enc:{HEX}"},
        {"u": USER, "p": f"enc:{HEX.upper()}"},
        {"u": USER, **TOKEN},
        {"u": USER, "s": TOKEN["s"], "t": TOKEN["t"].upper()},
        {"apiKey": KEY},
        {"u": USER, "p": PASSWORD, "v": "1.8.0"},
    ],
)
def test_right_credentials_log_in(given: dict[str, str]) -> None:
    assert log_in(Parameters(COMMON | given), KNOWN) == USER


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, 10),
        ({"u": USER}, 10),
        ({"p": PASSWORD}, 10),
        ({"u": USER, "t": TOKEN["t"]}, 10),
        ({"u": USER, "s": TOKEN["s"]}, 10),
        ({"u": USER, "p": PASSWORD, "c": ""}, 10),
        ({"u": USER, "p": PASSWORD, "v": ""}, 10),
        ({"u": USER, "p": PASSWORD, "v": "one"}, 0),
        ({"u": USER, "p": PASSWORD, "v": "0.9.0"}, 20),
        ({"u": USER, "p": PASSWORD, "v": "2.0.0"}, 30),
        ({"u": USER, "p": PASSWORD + "x"}, 40),
        ({"u": USER.upper(), "p": PASSWORD}, 40),
        ({"u": USER, "p": f"enc:{HEX}0"}, 40),
        ({"u": USER, "p": "enc:ff"}, 40),
        ({"u": USER, "p": "enc:"}, 40),
        ({"u": USER, "p": "\ud800"}, 40),
        ({"u": USER, "s": TOKEN["s"], "t": TOKEN["t"][:-1]}, 40),
        ({"u": USER, "s": "other", "t": TOKEN["t"]}, 40),
        ({"u": USER, "s": "\ud800", "t": TOKEN["t"]}, 40),
        ({"u": USER, "p": PASSWORD, **TOKEN}, 43),
        ({"u": USER, "apiKey": KEY}, 43),
        ({"p": PASSWORD, "apiKey": KEY}, 43),
        ({"apiKey": PASSWORD}, 44),
    ],
)
def test_wrong_credentials_have_the_code_of_the_protocol(given: dict[str, str], code: int) -> None:
    with pytest.raises(SubsonicError) as caught:
        log_in(Parameters(COMMON | given), KNOWN)
    assert caught.value.code == code
    assert PASSWORD not in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("known", "given", "code"),
    [
        (Credentials(USER, api_key=KEY), {"u": USER, **TOKEN}, 41),
        (Credentials(USER, api_key=KEY), {"u": USER, "p": "x"}, 42),
        (Credentials(USER, PASSWORD), {"apiKey": KEY}, 42),
    ],
)
def test_mechanism_that_is_not_set_up_is_named(
    known: Credentials, given: dict[str, str], code: int
) -> None:
    with pytest.raises(SubsonicError) as caught:
        log_in(Parameters(COMMON | given), known)
    assert caught.value.code == code


def test_credentials_do_not_show_their_secrets() -> None:
    assert PASSWORD not in repr(KNOWN)
    assert KEY not in repr(KNOWN)


# Over HTTP


async def test_extensions_need_no_login(server: Interface) -> None:
    found = await Client(server, {"f": "json"}).ok("getOpenSubsonicExtensions")
    names = {each["name"]: each["versions"] for each in found["openSubsonicExtensions"]}
    assert names["apiKeyAuthentication"] == names["formPost"] == [1]


@pytest.mark.parametrize("endpoint", ["ping", "getArtists", "stream", "getPlaylists"])
async def test_every_other_endpoint_needs_one(server: Interface, endpoint: str) -> None:
    assert await Client(server, {"f": "json"} | COMMON).code(endpoint) == 10
    wrong = token(password="another-password") | {"c": "x"}
    assert await Client(server, wrong).code(endpoint) == 40


async def test_form_and_address_and_suffix_log_in(client: Client) -> None:
    for post in (False, True):
        for endpoint in ("ping", "ping.view"):
            assert (await client.ok(endpoint, post=post))["openSubsonic"] is True


async def test_api_key_tells_its_user(server: Interface) -> None:
    client = Client(server, COMMON | {"apiKey": KEY, "f": "json"})
    assert (await client.ok("tokenInfo"))["tokenInfo"] == {"username": USER}


async def test_after_many_wrong_passwords_only_the_right_one_passes(server: Interface) -> None:
    wrong, right = Client(server, token(password="another-password")), Client(server, token())
    for _ in range(WRONG_LOGINS):
        assert await wrong.code("ping") == 40
    reply = await wrong.reply("ping")
    assert reply.status == 429
    assert int(reply.headers["Retry-After"]) >= 1
    await right.ok("ping")


async def test_missing_parameters_are_no_guesses(server: Interface) -> None:
    for _ in range(WRONG_LOGINS + 2):
        assert await Client(server, {"f": "json"} | COMMON).code("ping") == 10
    await Client(server, token()).ok("ping")
