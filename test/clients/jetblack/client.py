"""One real client, told what to do by lines of JSON on standard input, and telling what comes by lines of JSON.

Usage: client.py PORT WIRE [OPTIONS], where OPTIONS is JSON: {"basic": [USER, PASSWORD], "token": TOKEN, "ca": FILE,
"grants": {USER: ENTITLEMENTS}}: as an authoriser it answers so; null: none are needed; a user that is not there is refused.
"""

import asyncio
import json
import os
import ssl
import sys

from jetblack_messagebus import CallbackClient, DataPacket
from jetblack_messagebus.authentication import BasicAuthenticator, TokenAuthenticator

PORT, WIRE = int(sys.argv[1]), sys.argv[2]
OPTIONS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}


def say(**what):
    print(json.dumps(what), flush=True)


def authenticator():
    if "basic" in OPTIONS:
        return BasicAuthenticator(*OPTIONS["basic"])
    if "token" in OPTIONS:
        return TokenAuthenticator(OPTIONS["token"])
    return None


def shown(packet):
    data = packet.data
    size = len(data) if data else 0
    return [
        sorted(packet.entitlements) if packet.entitlements else None,
        data.decode() if data and size < 1000 else size,
    ]


async def main():
    context = ssl.create_default_context(cafile=OPTIONS["ca"]) if "ca" in OPTIONS else None
    host = "localhost" if context else "127.0.0.1"
    client = await CallbackClient.create(host, PORT, ssl=context, authenticator=authenticator())

    async def on_data(user, host, feed, topic, packets, mark):
        all_packets = None if packets is None else [shown(packet) for packet in packets]
        say(kind="data", user=user, feed=feed, topic=topic, packets=all_packets, mark=mark)

    async def on_notification(client_id, user, host, feed, topic, is_add):
        say(kind="notification", user=user, feed=feed, topic=topic, is_add=is_add)

    async def on_authorization(client_id, host, user, feed, topic):
        grants = OPTIONS.get("grants", {})
        entitlements = grants.get(user, [])
        is_required = entitlements is not None
        await client.authorize(client_id, feed, topic, is_required, set(entitlements) if entitlements else None)
        say(kind="authorization", user=user, feed=feed, topic=topic)

    async def on_closed(is_faulted):
        say(kind="closed", is_faulted=is_faulted)

    client.data_handlers.append(on_data)
    client.notification_handlers.append(on_notification)
    client.authorization_handlers.append(on_authorization)
    if hasattr(client, "closed_handlers"):  # not in 3.0.3
        client.closed_handlers.append(on_closed)
    running = asyncio.create_task(client.start())
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if line == "":
            break
        command = json.loads(line)
        feed, topic = command.get("feed"), command.get("topic")
        if command["do"] == "subscribe":
            await client.add_subscription(feed, topic)
        elif command["do"] == "unsubscribe":
            await client.remove_subscription(feed, topic)
        elif command["do"] == "notify":
            await client.add_notification(feed)
        elif command["do"] == "stop":
            client.stop()
        else:
            packets = [
                DataPacket(
                    set(entitlements) if entitlements else None,
                    data.encode() if isinstance(data, str) else b"x" * data,
                )
                for entitlements, data in command["packets"]
            ]
            mark = command.get("mark", "" if WIRE == "content-type" else False)
            await client.publish(feed, topic, mark, packets)
    running.cancel()
    os._exit(0)  # what a version leaves open must not keep the process


asyncio.run(main())
