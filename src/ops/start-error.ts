/** Keys from the top of the settings, and what is wrong with what stands there. */
export type SettingPath = readonly string[]

/** Where somebody wants to listen, and the settings that say so. */
export interface ListenedOn {
  readonly host: string
  readonly hostPath: SettingPath
  readonly port: number
  readonly portPath: SettingPath
}

/** The server cannot start with the value of a setting, as the system does not let it. */
export class StartError extends Error {
  readonly path: SettingPath

  /** `problem`: goes on behind the name of the setting. */
  constructor(path: SettingPath, problem: string, cause?: unknown) {
    super(`${path.join('.')} ${problem}`, { cause })
    this.path = path
  }

  /** What is wrong with a port, or with the address that is listened on there. */
  static listening(error: unknown, { host, hostPath, port, portPath }: ListenedOn): StartError {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES')
      return new StartError(
        portPath,
        `${port} may be listened on by root only: choose one from 1024 on, or grant the right (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)`,
        error,
      )
    return code === 'EADDRINUSE'
      ? StartError.at(portPath, `${port} cannot be listened on`, error)
      : StartError.at(hostPath, `${host} cannot be listened on`, error)
  }

  /** Says what the system has said, and what helps. */
  static at(path: SettingPath, problem: string, error: unknown): StartError {
    const { message } = error as Error
    const advice = ADVICE[codeOf(error) ?? '']
    return new StartError(
      path,
      `${problem}: ${message}${advice === undefined ? '' : `. ${advice}`}`,
      error,
    )
  }
}

/** Of the error, or of what has caused it. */
function codeOf(error: unknown): string | undefined {
  const { code, cause } = error as NodeJS.ErrnoException
  return code !== undefined && code in ADVICE ? code : cause === undefined ? code : codeOf(cause)
}

/** By the system's codes. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES:
    'The user of this process may not do that there: change owner or mode (ls -ld shows them), or choose another place',
  EPERM:
    'The user of this process may not do that there: change owner or mode (ls -ld shows them), or choose another place',
  EROFS:
    'The file system is read-only: choose another place, or mount it for writing (systemd: ReadWritePaths, StateDirectory)',
  ENOENT: 'Part of the path is not there: make the directory, or correct the path',
  ENOTDIR: 'Part of the path is a file: correct the path',
  EISDIR: 'That is a directory: name a file in it',
  ENOSPC: 'The disk is full: make room',
  EDQUOT: 'The quota of this user is used up: make room, or raise it',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n, LimitNOFILE)',
  ENFILE: 'Too many files are open on this machine: raise fs.file-max',
  EADDRINUSE:
    'Another process listens there (ss -ltnp shows which): stop it, or choose another port',
  EADDRNOTAVAIL: 'That is no address of this machine (ip address shows them)',
  EAFNOSUPPORT: 'This machine does not know such addresses: is IPv6 switched off?',
  ENOTFOUND: 'No such name is known: give an address, or correct the name',
  EAI_AGAIN: 'The name could not be looked up now: give an address, or look at the resolver',
}
