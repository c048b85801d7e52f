import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { FIRST } from '../config/certificates.ts'

/**
 * Both ends of a connection: the server's, and the peer's. `isPaused`: it does not read before it is resumed.
 * `allowHalfOpen`: each end goes on sending when the other has closed.
 */
export async function openConnection({
  isPaused = false,
  allowHalfOpen = false,
  tls = false,
} = {}) {
  const server = tls
    ? createTlsServer({ allowHalfOpen, cert: FIRST.certPem, key: FIRST.keyPem })
    : createServer({ allowHalfOpen })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const target = { port, host: '127.0.0.1', allowHalfOpen }
  const peer = tls ? connectTls({ ...target, ca: FIRST.certPem }) : connect(target)
  if (isPaused) peer.pause()
  const [socket] = (await once(server, tls ? 'secureConnection' : 'connection')) as [Socket]
  return {
    socket,
    peer,
    [Symbol.dispose]() {
      peer.destroy()
      socket.destroy()
      server.close()
    },
  }
}
