// Node's fetch sends a body and takes the answer at the same time: URL, bytes ("endless"), "length" or "chunks".
const [url, size, framing] = process.argv.slice(2)
const piece = Buffer.alloc(65_536, 'x')

function* pieces() {
  for (let left = size === 'endless' ? Infinity : Number(size); left > 0; left -= piece.length)
    yield piece.subarray(0, Math.min(left, piece.length))
}

const body = framing === 'length' ? Buffer.alloc(Number(size), 'x') : ReadableStream.from(pieces())
const { status } = await fetch(url, { method: 'PUT', body, duplex: 'half' })
process.stdout.write(`${status}\n`)
process.exit()
