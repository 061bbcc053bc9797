"""Links to forbidden addresses in every spelling: refused, and the address is never contacted."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from pathlib import Path
from urllib.parse import urlunsplit

from bot.sources import SourcePolicy, Sources
from genrec.errors import GenrecError
from tests.attacks.conftest import Budget
from tests.bot.sources.hostile import FakeServer, start_server

NETWORKS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "::ffff:0:0/96", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "ff00::/8",
)  # fmt: skip
SCHEMES = ("http", "https", "ftp", "file", "gopher", "data", "HTTP", "")
USERS = ("", "user@", "user:pass@", "discord.com@", "cdn.discordapp.com:443@")


def spelling(rng: random.Random, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return a host that some URL parser reads as this address."""
    if isinstance(address, ipaddress.IPv6Address):
        return f"[{rng.choice((address.compressed, address.exploded))}]"
    number, parts = int(address), address.packed
    return rng.choice((
        str(address), str(number), hex(number), f"0{number:o}", f"[::ffff:{address}]",
        ".".join(map(hex, parts)), ".".join(f"{part:04o}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}", f"{address}.", f"%31{str(address)[1:]}"
        if str(address)[0] == "1" else str(address),
    ))  # fmt: skip


def link(rng: random.Random, port: int) -> str:
    """Return a link to a forbidden address; one in three goes to the listening port."""
    network = ipaddress.ip_network(rng.choice(NETWORKS))
    address = network[rng.randrange(min(network.num_addresses, 2**32))]
    if rng.random() < 0.34:
        address = ipaddress.ip_address(rng.choice(("127.0.0.1", "::1", "0.0.0.0")))
    host = f"{rng.choice(USERS)}{spelling(rng, address)}"
    host += rng.choice(("", f":{port}", ":80", ":22", ":0", ":99999"))
    return urlunsplit((rng.choice(SCHEMES), host, rng.choice(("/a.mp3", "", "//b")), "", ""))


async def test_forbidden_addresses_are_never_contacted(
    tmp_path: Path, budget: Budget, rng: random.Random
) -> None:
    server = FakeServer()
    listening = await start_server(server)
    port = listening.sockets[0].getsockname()[1]
    policy = SourcePolicy(temp_root=tmp_path)
    fetched, refused = list[str](), Counter[str]()
    async with Sources(policy) as sources:
        for _ in budget.rounds():
            source = link(rng, port)
            try:
                async with sources.fetch(source):
                    fetched.append(source)
            except GenrecError as error:
                refused[error.code] += 1
    listening.close()
    print(f"{budget.count} links: {dict(refused)}")  # noqa: T201 - the result
    assert fetched == []
    assert server.connections == 0
    assert not list(tmp_path.iterdir())
