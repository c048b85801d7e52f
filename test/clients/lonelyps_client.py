"""lonelypsc, driven by lines of JSON on standard input, telling what happens in lines of JSON on standard output.

lonelyps_client.py http|ws BROADCASTER SECRETS|none

{"listen": {"exact": [TOPIC...], "glob": [GLOB...]}}   tells subscribed once it is confirmed, and each message; "take": SECONDS for each
{"leave": N}                                           ends the listening of the Nth listen, from 0; tells left
{"notify": TOPIC, "text": TEXT}                        tells notified or refused
{"notify": TOPIC, "size": BYTES}                       the same with bytes that repeat nowhere; tells their sha256, too
"""

import asyncio
import hashlib
import itertools
import json
import os
import random
import socket
import sys

import zstandard
from lonelypsc.config.file_config import get_auth_config_from_file
from lonelypsc.config.http_config import make_http_pub_sub_config
from lonelypsc.config.ws_config import make_websocket_pub_sub_config
from lonelypsc.client import PubSubClientConnectionStatus
from lonelypsc.http_client import HttpPubSubClient
from lonelypsc.ws_client import WebsocketPubSubClient
from lonelypsp.auth.config import AuthConfigFromParts
from lonelypsp.auth.helpers.none_auth_config import ToBroadcasterNoneAuth, ToSubscriberNoneAuth
from lonelypsp.tracing.impl.simple.config import SimpleTracingConfig
from lonelypsp.tracing.impl.simple.db import SimpleTracingDBSidecar
from lonelypsp.tracing.impl.simple.root import SimpleTracingSubscriberRoot


def tell(**what):
    print(json.dumps(what), flush=True)


ports = (10_000 + (os.getpid() + 997 * n) % 20_000 for n in itertools.count())


def free_port():
    """Another one each time: below the ports that the kernel gives away, and by the process, so that nobody else takes it before the client
    listens there."""
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def auth_of(secrets):
    if secrets == "none":
        return AuthConfigFromParts(ToBroadcasterNoneAuth(), ToSubscriberNoneAuth())
    to_subscriber, to_broadcaster = get_auth_config_from_file(secrets)
    return AuthConfigFromParts(to_broadcaster, to_subscriber)


def http_client(broadcaster, auth, tracing, port=None):
    # Where it listens, and where it says that it listens: between them there may be a proxy.
    port = port or int(os.environ.get("RECEIVER_PORT") or free_port())
    public_port = int(os.environ.get("RECEIVER_PUBLIC_PORT") or port)
    return HttpPubSubClient(
        make_http_pub_sub_config(
            bind={"type": "uvicorn", "host": "127.0.0.1", "port": port},
            host=f"http://127.0.0.1:{public_port}{os.environ.get('FRAGMENT', '')}",
            broadcasters=[{"host": broadcaster}],
            outgoing_retries_per_broadcaster=2,
            message_body_spool_size=10_000_000,
            outgoing_http_timeout_total=30,
            outgoing_http_timeout_connect=5,
            outgoing_http_timeout_sock_read=30,
            outgoing_http_timeout_sock_connect=5,
            outgoing_retry_ambiguous=True,
            auth=auth,
            tracing=tracing,
        )
    )


def ws_client(broadcaster, auth):
    dictionary = None
    if file := os.environ.get("DICTIONARY"):
        with open(file, "rb") as opened:
            dictionary = zstandard.ZstdCompressionDict(opened.read())
            dictionary.precompute_compress(level=3)
    return WebsocketPubSubClient(
        make_websocket_pub_sub_config(
            broadcasters=[{"host": broadcaster.replace("http", "ws", 1)}],
            outgoing_initial_connect_retries=int(os.environ.get("CONNECT_RETRIES", "10")),
            outgoing_min_reconnect_interval=1,
            max_websocket_message_size=int(os.environ.get("PART_BYTES", "4000000")),
            websocket_open_timeout=5,
            websocket_close_timeout=5,
            websocket_heartbeat_interval=10,
            websocket_minimal_headers=os.environ.get("HEADERS") != "expanded",
            max_sent_notifications=None,
            max_unsent_notifications=None,
            max_expected_acks=None,
            max_received=None,
            max_unsent_acks=None,
            allow_compression=os.environ.get("COMPRESSION") == "1",
            compression_dictionary_by_id={} if dictionary is None else {2: (dictionary, 3)},
            initial_compression_dict_id=None if dictionary is None else 2,
            allow_training_compression=os.environ.get("COMPRESSION") == "1",
            decompression_max_window_size=8 * 1024 * 1024,
            auth=auth,
        )
    )


class Status:
    async def on_connection_lost(self):
        tell(status="lost")

    async def on_connection_established(self):
        tell(status="established")

    async def on_connection_abandoned(self):
        tell(status="abandoned")


async def confirmed(client):
    """Over ws subscribing returns before it is sent. The client is `LOST` until all that it has asked for is confirmed."""
    while client.receiver.connection_status == PubSubClientConnectionStatus.LOST:
        await asyncio.sleep(0.01)


async def listen(client, about, started):
    exact = [topic.encode("latin-1") for topic in about.get("exact", [])]
    async with client.subscribe(exact=exact, glob=about.get("glob", [])) as subscription:
        messages = await subscription.messages()
        if sys.argv[1] == "ws":
            await confirmed(client)
        tell(subscribed=len(exact) + len(about.get("glob", [])))
        started.set_result(None)
        async for message in messages:
            data = message.data.read()
            text = data.decode("utf-8", "replace") if len(data) < 1000 else None
            tell(
                topic=message.topic.decode("latin-1"),
                text=text,
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
            )
            await asyncio.sleep(about.get("take", 0))


async def notify(client, topic, data):
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        result = await client.notify(trace_initializer=None, topic=topic, data=data)
        tell(notified=result.notified, sha256=sha256)
    except Exception as error:
        tell(refused=type(error).__name__)


async def obey(client):
    lines = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    listening = []
    while line := await lines.readline():
        command = json.loads(line)
        if "listen" in command:
            started = loop.create_future()
            listening.append(asyncio.create_task(listen(client, command["listen"], started)))
            await asyncio.wait([started, listening[-1]], return_when=asyncio.FIRST_COMPLETED)
            if not started.done():
                tell(refused=type(listening.pop().exception()).__name__)
        elif "leave" in command:
            listening[command["leave"]].cancel()
            await asyncio.wait([listening[command["leave"]]])
            tell(left=command["leave"])
        else:
            size = command.get("size")
            data = random.Random(size).randbytes(size) if size else command["text"].encode()
            await notify(client, command["notify"].encode("latin-1"), data)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


async def main():
    mode, broadcaster, secrets = sys.argv[1:]
    tracing_config = SimpleTracingConfig()
    async with SimpleTracingDBSidecar(tracing_config, ":memory:") as tracing_db:
        tracing = SimpleTracingSubscriberRoot(tracing_db, tracing_config).stateless
        auth = auth_of(secrets)
        client = (
            ws_client(broadcaster, auth)
            if mode == "ws"
            else http_client(broadcaster, auth, tracing)
        )
        async with client:
            await client.direct_register_status_handler(receiver=Status())
            tell(ready=True)
            await obey(client)
    tell(ended=True)


if __name__ == "__main__":
    asyncio.run(main())
