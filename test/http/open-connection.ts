import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Both ends of a connection: the server's, and the peer's. `isPaused`: it does not read before it is resumed. */
export async function openConnection({ isPaused = false } = {}) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
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
