"""A hub for partners' own tests. It signs and verifies like the real one.

    hub = FakeHub()
    with served(hub.at) as hub_url:
        hub.add_party("MA5AAAAA1", key, base_url=operator_url)
        ...
        assert hub.received("push_record")
        await hub.call("MA5AAAAA1", "start", HostStartRequest(...))

It remembers messages and answers repeats from memory; it has no rules of its own beyond that.
`hub.answers` takes functions that answer in its place, `hub.fail` makes it fail a few times.
"""

from operator_sdk.testing.fake_hub import FakeHub, Received
from operator_sdk.testing.server import served

__all__ = ["FakeHub", "Received", "served"]
