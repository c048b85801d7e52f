"""
Publishes with requests, on one connection: requests_publish.py URL OPTIONS (JSON: user, password, method, times).
The payload is on standard input.
"""
import json
import sys

import requests

url = sys.argv[1]
options = json.loads(sys.argv[2])
auth = (options['user'], options['password']) if 'user' in options else None
payload = json.load(sys.stdin)

with requests.Session() as session:
    for _ in range(options.get('times', 1)):
        answer = session.request(options.get('method', 'PUT'), url, json=payload, auth=auth)
        print(json.dumps({'status': answer.status_code, 'body': answer.text}), flush=True)
