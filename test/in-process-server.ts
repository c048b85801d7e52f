import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAclFile } from '../src/config/acl-file.ts'
import { loadSettings } from '../src/config/load.ts'
import { startServer, type Times } from '../src/server.ts'

export interface InProcessServer extends AsyncDisposable {
  /** Where it says that it listens. */
  readonly urls: readonly string[]
  readonly port: number
  readonly tlsPort: number | null
  readonly url: string
  readonly directory: string
  /** Takes another text of pubsub_acl.yaml, as a reload does. */
  reloadAcl: (text: string) => void
  /** Takes another text of pubsub.yaml, likewise, or the files that it names as they are now. */
  reloadSettings: (text?: string) => void
  stop(): Promise<void>
}

/**
 * A server in the process of the test: it starts in a twentieth of the time of a real one, and its times can be shorter.
 * For all that is no matter of the process: its signals, its output, its end.
 */
export async function startInProcess({
  config,
  acl = '{}',
  times = {},
  ...options
}: {
  /** Text of pubsub.yaml. A relative `storage` lies in the server's directory. */
  config: string
  acl?: string
  times?: Times
  /** Of one that has stopped: this one goes on with its files. Absent: a new one. */
  directory?: string
}): Promise<InProcessServer> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'pubsubd-test-'))
  const aclFile = join(directory, 'pubsub_acl.yaml')
  writeFileSync(join(directory, 'pubsub.yaml'), config)
  writeFileSync(aclFile, acl)
  const { settings } = loadSettings(join(directory, 'pubsub.yaml'))
  const { backlog } = settings.server
  const storage = backlog.storage === null ? null : join(directory, backlog.storage)
  const server = await startServer(
    { ...settings, server: { ...settings.server, backlog: { ...backlog, storage } } },
    loadAclFile(aclFile).users,
    times,
  )
  const portOf = (scheme: string) => {
    const url = server.urls.find((each) => each.startsWith(`${scheme}:`))
    return url === undefined ? null : Number(new URL(url).port)
  }
  const port = portOf('http')!
  let stopped: Promise<void> | null = null
  const stop = () => (stopped ??= server.stop())
  return {
    urls: server.urls,
    port,
    tlsPort: portOf('https'),
    url: `http://127.0.0.1:${port}`,
    directory,
    reloadAcl(text) {
      writeFileSync(aclFile, text)
      server.replaceUsers(loadAclFile(aclFile).users)
    },
    reloadSettings(text = config) {
      writeFileSync(join(directory, 'pubsub.yaml'), text)
      server.replaceSettings(loadSettings(join(directory, 'pubsub.yaml')).settings)
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
