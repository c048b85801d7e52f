"""A stream read with requests: requests_listen.py URL OPTIONS (JSON: user, password, headers, delimiter)."""
import json
import sys

import requests

url = sys.argv[1]
options = json.loads(sys.argv[2])
auth = (options['user'], options['password']) if 'user' in options else None

with requests.get(url, headers=options.get('headers'), auth=auth, stream=True) as response:
    response.raise_for_status()
    delimiter = options.get('delimiter')
    for line in response.iter_lines(chunk_size=None, delimiter=delimiter and delimiter.encode()):
        if line:
            print(json.dumps(json.loads(line)), flush=True)
