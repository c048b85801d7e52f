"""
Lines as Python's libraries part them, each printed as a JSON string: lines_listen.py URL OPTIONS (JSON: library, headers,
encoding).
"""
import json
import sys

url = sys.argv[1]
options = json.loads(sys.argv[2])
headers = options.get('headers')


def httpx_lines():
    import httpx
    with httpx.stream('GET', url, headers=headers, timeout=60) as response:
        response.raise_for_status()
        yield from response.iter_lines()


def requests_lines():
    import requests
    with requests.get(url, headers=headers, stream=True) as response:
        response.raise_for_status()
        if 'encoding' in options:
            response.encoding = options['encoding']
        # Where it knows no encoding, it decodes nothing.
        for line in response.iter_lines(decode_unicode=True):
            yield line if isinstance(line, str) else line.decode()


for line in {'httpx': httpx_lines, 'requests': requests_lines}[options['library']]():
    print(json.dumps(line), flush=True)
