"""The edge link: what a site agent and its gateway say, and both ends as machines without sockets.

A WebSocket with the subprotocol `interpile.edge.v1` carries one msgpack frame per binary message. The gateway
speaks first (Challenge), the agent proves itself (Prove), the gateway proves itself and says what it has stored
(Welcome). Then the agent sends two numbered streams, bills and everything else, which the gateway acknowledges
only once they are durable; the gateway sends commands, the agent asks. docs/adr/0011 says why it is like this.
"""

SUBPROTOCOL = "interpile.edge.v1"
FRAME_BYTES_MOST = 1 << 20
BATCH_ITEMS_MOST = 500
"""Items in one Batch; a batch's items together stay under half of FRAME_BYTES_MOST."""

IN_FLIGHT_MOST = 8
"""Batches of one stream that may wait for their acknowledgement."""
