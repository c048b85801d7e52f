"""Sends all of a body before it reads the answer, as simple clients do: URL, bytes ("endless"), "length" or "chunks"."""
import http.client
import ssl
import sys
from urllib.parse import urlsplit

url, size, framing = sys.argv[1:]
where = urlsplit(url)
if where.scheme == "https":
    connection = http.client.HTTPSConnection(where.netloc, context=ssl._create_unverified_context())
else:
    connection = http.client.HTTPConnection(where.netloc)

piece = b"x" * 65536
left = float("inf") if size == "endless" else int(size)


def body():
    global left
    while left > 0:
        yield piece[: int(min(left, len(piece)))]
        left -= len(piece)


headers = {"Content-Length": size} if framing == "length" else {"Transfer-Encoding": "chunked"}
try:
    connection.request("PUT", where.path, body(), headers, encode_chunked=framing == "chunks")
except (BrokenPipeError, ssl.SSLEOFError):
    # The server has closed its end, and said why before: urllib3 goes on like this, too.
    pass
print(connection.getresponse().status)
