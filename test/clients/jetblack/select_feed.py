"""A select feed, as the reference's README has it: the publisher hears of a subscriber, sends it an image, then deltas to all.

Usage: select_feed.py PORT WIRE. Prints what both hear, one JSON object on each line, until a line comes on standard input.
"""

import asyncio
import json
import sys

from jetblack_messagebus import CallbackClient, DataPacket

PORT, WIRE = int(sys.argv[1]), sys.argv[2]


def mark(is_image):
    return is_image if WIRE == "is-image" else "text/plain"


def say(**what):
    print(json.dumps(what), flush=True)


def shown(packets):
    if packets is None:
        return None
    return [
        [sorted(packet.entitlements) if packet.entitlements else None, packet.data.decode() if packet.data else None]
        for packet in packets
    ]


async def main():
    publisher = await CallbackClient.create("127.0.0.1", PORT)

    async def on_notification(client_id, user, host, feed, topic, is_add):
        say(kind="notification", user=user, host=host, feed=feed, topic=topic, is_add=is_add)
        if is_add:
            await publisher.send(client_id, feed, topic, mark(True), [DataPacket(None, b"image")])
            packets = [DataPacket({1, 2}, b"delta"), DataPacket(None, b"second")]
            await publisher.publish(feed, topic, mark(False), packets)

    publisher.notification_handlers.append(on_notification)
    await publisher.add_notification("LSE")
    publishing = asyncio.create_task(publisher.start())

    subscriber = await CallbackClient.create("127.0.0.1", PORT, monitor_heartbeat=True)

    async def on_data(user, host, feed, topic, packets, content_type):
        if feed == "__admin__":
            say(kind="heartbeat", user=user, host=host, topic=topic, packets=packets)
        else:
            say(kind="data", user=user, host=host, feed=feed, topic=topic, packets=shown(packets), mark=content_type)

    subscriber.data_handlers.append(on_data)
    await subscriber.add_subscription("fruits", "apples")
    await subscriber.add_subscription("LSE", "VOD")
    subscribing = asyncio.create_task(subscriber.start())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    publishing.cancel()
    subscribing.cancel()


asyncio.run(main())
