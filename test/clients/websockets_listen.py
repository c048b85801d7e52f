"""Prints what a WebSocket brings, then how it was closed. sys.argv: URL, JSON of options: say (a message to send), ca."""

import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

url, options = sys.argv[1], json.loads(sys.argv[2])
context = ssl.create_default_context(cafile=options["ca"]) if "ca" in options else None
with connect(url, ssl=context) as socket:
    if "say" in options:
        socket.send(options["say"])
    try:
        while True:
            print(socket.recv(), flush=True)
    except ConnectionClosed as closed:
        print(json.dumps({"code": closed.rcvd.code, "reason": closed.rcvd.reason}))
