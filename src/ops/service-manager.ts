import { spawn } from 'node:child_process'
import process from 'node:process'

/** What systemd is told (sd_notify(3)), where it has asked for it. */
export type ServiceState = 'ready' | 'reloading' | 'stopping'

export type TellServiceManager = (state: ServiceState) => void

/**
 * Tells whoever started this process, by the socket that `NOTIFY_SOCKET` names; else it does nothing. Node has no datagrams between
 * processes of one machine, so the kernel is asked by koffi, and without it `systemd-notify`, which needs `NotifyAccess=all`.
 */
export async function loadServiceManager(): Promise<TellServiceManager> {
  const { NOTIFY_SOCKET: name } = process.env
  if (name === undefined || process.platform !== 'linux' || !/^[/@]/.test(name)) return () => {}
  const send = await loadSend(name)
  return (state) => send(TEXT_OF[state]())
}

const TEXT_OF = {
  ready: () => 'READY=1\nSTATUS=serving',
  /** `Type=notify-reload` wants to know from when. */
  reloading: () => `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`,
  stopping: () => 'STOPPING=1\nSTATUS=telling streams that it stops',
} as const

async function loadSend(name: string): Promise<(text: string) => void> {
  try {
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null)
    const socket = library.func('int socket(int domain, int type, int protocol)')
    const sendTo = library.func(
      'intptr_t sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
    )
    const close = library.func('int close(int fd)')
    const address = addressOf(name)
    return (text) => {
      const descriptor = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0)
      if (descriptor < 0) return
      const bytes = Buffer.from(text)
      sendTo(descriptor, bytes, bytes.length, DONT_WAIT, address, address.length)
      close(descriptor)
    }
  } catch {
    return (text) => {
      spawn('systemd-notify', text.split('\n'), { stdio: 'ignore' })
        .on('error', () => {})
        .unref()
    }
  }
}

/** `struct sockaddr_un`; a name that begins with `@` has no file, and begins with a zero byte. */
function addressOf(name: string): Buffer {
  const path = Buffer.from(name)
  if (name.startsWith('@')) path[0] = 0
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat(name.startsWith('@') ? [family, path] : [family, path, Buffer.of(0)])
}

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2_000_000
/** MSG_DONTWAIT and MSG_NOSIGNAL: whoever does not read it holds up nobody. */
const DONT_WAIT = 0x40 | 0x4000
