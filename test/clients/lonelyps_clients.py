"""Any number of lonelypsc clients in one process, told what to do by lines of JSON on standard input.

Each line has an "id", and is answered by one with the same "id" as soon as it is done: many may be under way.

{"id": ID, "make": CLIENT, "mode": "http"|"ws", "broadcaster": URL, "secrets": FILE|"none"}
{"id": ID, "enter": CLIENT}                                    again after it was left: another one at the same port
{"id": ID, "leave": CLIENT}
{"id": ID, "subscribe": CLIENT, "topic": TOPIC}
{"id": ID, "receive": CLIENT, "topic": TOPIC}                  tells the sha256 of the next message
{"id": ID, "unsubscribe": CLIENT, "topic": TOPIC}
{"id": ID, "notify": CLIENT, "topic": TOPIC, "size": BYTES}    tells notified, and the sha256 of what it has sent
"""

import asyncio
import functools
import hashlib
import json
import random
import sys
import traceback

from lonelypsp.tracing.impl.simple.config import SimpleTracingConfig
from lonelypsp.tracing.impl.simple.db import SimpleTracingDBSidecar
from lonelypsp.tracing.impl.simple.root import SimpleTracingSubscriberRoot

from lonelyps_client import auth_of, free_port, http_client, tell, ws_client

makers = {}
over_ws = set()
clients = {}
subscriptions = {}


@functools.lru_cache(maxsize=1)
def great_bytes(size):
    """Bytes that repeat nowhere; making them takes longer than sending them."""
    return random.randbytes(size)


def bytes_of(size):
    return great_bytes(size) if size > 1_000_000 else random.randbytes(size)


def sha256_of(data):
    return hashlib.sha256(data).hexdigest()


async def hear(messages, heard):
    """A webhook is answered when its message is left behind, so each is taken as soon as it comes."""
    async for message in messages:
        heard.put_nowait(sha256_of(message.data.read()))


async def confirmed_so_far(client):
    """A WebSocket's subscribing returns before it is sent. It is sent before a notification, which is confirmed behind it."""
    await client.notify(trace_initializer=None, topic=b"nobody is subscribed to this", data=b"")


async def obey(command, tracing):
    topic = command.get("topic", "").encode("latin-1")
    match command:
        case {"make": name, "mode": mode, "broadcaster": broadcaster, "secrets": secrets}:
            auth = auth_of(secrets)
            if mode == "ws":
                over_ws.add(name)
                makers[name] = functools.partial(ws_client, broadcaster, auth)
            else:
                makers[name] = functools.partial(
                    http_client, broadcaster, auth, tracing, free_port()
                )
        case {"enter": name}:
            clients[name] = makers[name]()
            await clients[name].__aenter__()
        case {"leave": name}:
            await clients[name].__aexit__(None, None, None)
        case {"subscribe": name}:
            subscription = clients[name].subscribe_exact(topic)
            await subscription.__aenter__()
            if name in over_ws:
                await confirmed_so_far(clients[name])
            heard = asyncio.Queue()
            hearing = asyncio.create_task(hear(await subscription.messages(), heard))
            subscriptions[name, topic] = (subscription, heard, hearing)
        case {"receive": name}:
            _, heard, _ = subscriptions[name, topic]
            return {"sha256": await heard.get()}
        case {"unsubscribe": name}:
            subscription, _, hearing = subscriptions.pop((name, topic))
            hearing.cancel()
            await asyncio.wait([hearing])
            await subscription.__aexit__(None, None, None)
        case {"notify": name, "size": size}:
            data = bytes_of(size)
            result = await clients[name].notify(trace_initializer=None, topic=topic, data=data)
            return {"notified": result.notified, "sha256": sha256_of(data)}
    return {}


async def answer(command, tracing):
    try:
        tell(id=command["id"], **await obey(command, tracing))
    except Exception:
        tell(id=command["id"], error=traceback.format_exc())


async def main():
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tracing_config = SimpleTracingConfig()
    async with SimpleTracingDBSidecar(tracing_config, ":memory:") as tracing_db:
        tracing = SimpleTracingSubscriberRoot(tracing_db, tracing_config).stateless
        under_way = set()  # else they may be collected before they are done
        while line := await lines.readline():
            task = asyncio.create_task(answer(json.loads(line), tracing))
            under_way.add(task)
            task.add_done_callback(under_way.discard)


asyncio.run(main())
