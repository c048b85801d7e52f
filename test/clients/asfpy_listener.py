"""asfpy's Listener: asfpy_listener.py URL OPTIONS (JSON: user, password, since, raw)."""
import json
import sys

from asfpy.pubsub import Listener

url = sys.argv[1]
options = json.loads(sys.argv[2])
auth = (options['user'], options['password']) if 'user' in options else None

Listener(url).attach(
    lambda payload: print(json.dumps(payload), flush=True),
    raw=options.get('raw', True),
    auth=auth,
    since=options.get('since', -1),
)
