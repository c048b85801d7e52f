"""asfpy's listen(): asfpy_listen.py URL OPTIONS (JSON: user, password)."""
import asyncio
import json
import sys

from asfpy.pubsub import listen

url = sys.argv[1]
options = json.loads(sys.argv[2])


async def main():
    async for payload in listen(url, username=options.get('user'), password=options.get('password')):
        print(json.dumps(payload), flush=True)


asyncio.run(main())
