import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * Both ends of a connection: the server's, and the peer's. `isPaused`: it does not read before it is resumed.
 * `allowHalfOpen`: each end goes on sending when the other has closed.
 */
export async function openConnection({ isPaused = false, allowHalfOpen = false } = {}) {
  const server = createServer({ allowHalfOpen }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen })
  if (isPaused) peer.pause()
  const [socket] = (await once(server, 'connection')) as [Socket]
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
