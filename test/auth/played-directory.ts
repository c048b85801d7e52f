import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** What a directory is asked, as far as a test needs to know. */
export interface Asked {
  readonly type: 'bind' | 'search'
  /** Who binds, or where is searched. */
  readonly dn: string
  /** All of it, a character for each byte. */
  readonly bytes: string
}

export interface PlayedAnswer {
  readonly code: number
  /** What the directory says about it. */
  readonly text?: string
  /** DNs of what is found, each with the attribute `uid` of this value. */
  readonly found?: readonly { readonly dn: string; readonly uid: string }[]
}

/** A directory that answers what the test says, in the order in which it is asked. */
export async function startPlayedDirectory(
  answer: (asked: Asked) => PlayedAnswer,
): Promise<{ readonly uri: string; readonly asked: readonly Asked[] } & AsyncDisposable> {
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let received = Buffer.alloc(0)
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        received = Buffer.concat([received, chunk])
        for (;;) {
          const message = elementAt(received, 0)
          if (message === null) return
          received = received.subarray(message.end)
          const [id, operation] = elementsIn(message.content)
          const type = TYPES.get(operation!.tag)
          if (type === undefined) return
          const [first, second] = elementsIn(operation!.content)
          const dn = (type === 'bind' ? second! : first!).content.toString()
          asked.push({ type, dn, bytes: operation!.content.toString('latin1') })
          const { code, text = '', found = [] } = answer(asked.at(-1)!)
          for (const entry of found) socket.write(envelope(id!.content, entryMessage(entry)))
          const result = [element(0x0a, Buffer.of(code)), element(0x04), element(0x04, text)]
          socket.write(envelope(id!.content, element(DONE[type], ...result)))
        }
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return {
    uri: `ldap://127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Tags of RFC 4511, section 4.2 and 4.5. */
const TYPES: ReadonlyMap<number, Asked['type']> = new Map([
  [0x60, 'bind'],
  [0x63, 'search'],
])
const DONE = { bind: 0x61, search: 0x65 } as const

function entryMessage({ dn, uid }: { readonly dn: string; readonly uid: string }): Buffer {
  const attribute = element(0x30, element(0x04, 'uid'), element(0x31, element(0x04, uid)))
  return element(0x64, element(0x04, dn), element(0x30, attribute))
}

function envelope(id: Buffer, operation: Buffer): Buffer {
  return element(0x30, element(0x02, id), operation)
}

/** BER, with lengths below 64 KiB. */
function element(tag: number, ...contents: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(contents.map((each) => Buffer.from(each as string)))
  const { length } = content
  const size = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}

interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly end: number
}

/** `null`: it has not come in whole. */
function elementAt(bytes: Buffer, at: number): Element | null {
  const [tag, first] = bytes.subarray(at, at + 2)
  if (tag === undefined || first === undefined) return null
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const start = at + 2 + lengthBytes
  if (bytes.length < start) return null
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes)
  const end = start + length
  return bytes.length < end ? null : { tag, content: bytes.subarray(start, end), end }
}

function elementsIn(bytes: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < bytes.length; at = elements.at(-1)!.end)
    elements.push(elementAt(bytes, at)!)
  return elements
}
