/** What a stream begins with, for servers that do nothing else. */
export const HEAD = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.pypubsub-stream\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"stillalive":1}\n\r\n',
)
