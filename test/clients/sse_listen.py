"""Server-sent events by a library of PyPI, as its page shows it: sse_listen.py LIBRARY URL LAST_EVENT_ID LARGEST.

The last id, and how many bytes a message may have, are empty where the library's own are meant."""
import json
import sys

library, url, last_event_id, largest = sys.argv[1:]
headers = {'Last-Event-ID': last_event_id} if last_event_id else {}


def tell(name, last_id, data):
    try:
        n = json.loads(data).get('n')
    except ValueError:
        n = 'no JSON'
    print(json.dumps({'name': name or 'message', 'id': last_id, 'n': n, 'length': len(data)}), flush=True)


def httpx_sse():
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client(timeout=None) as client, connect_sse(client, 'GET', url, headers=headers) as source:
        for event in source.iter_sse():
            tell(event.event, event.id, event.data)


def sseclient_py():
    import requests
    import sseclient

    response = requests.get(url, stream=True, headers={'Accept': 'text/event-stream', **headers})
    for event in sseclient.SSEClient(response).events():
        tell(event.event, event.id, event.data)


def requests_sse():
    from requests_sse import EventSource

    with EventSource(url, headers=headers) as source:
        for event in source:
            tell(event.type, event.last_event_id, event.data)


def aiohttp_sse_client():
    import asyncio

    from aiohttp_sse_client.client import EventSource

    async def follow():
        options = {'read_bufsize': int(largest)} if largest else {}
        async with EventSource(url, headers=headers, **options) as source:
            async for event in source:
                tell(event.type, event.last_event_id, event.data)

    asyncio.run(follow())


globals()[library.replace('-', '_')]()
