import type { Server } from 'node:net'
import type { AttemptLimiter } from '../auth/attempt-limiter.ts'
import type { Authenticator, Identity } from '../auth/identity.ts'
import type { LoginGate } from '../auth/login-gate.ts'
import type { Policy } from '../auth/policy.ts'
import type { Hub } from '../hub/hub.ts'
import type { StateStore } from '../hub/state-store.ts'
import type { LogLevel } from '../ops/logger.ts'
import type { MountedDoor } from '../sockets/mounted-door.ts'

/**
 * How a protocol reaches the hub, and its peers reach the protocol. A door publishes with `hub.publish`, once the policy
 * lets it, and subscribes with `hub.subscribe`; all that is due to a subscriber (replay, joining, slowness, gaps, rights) is
 * the hub's. `test/contracts/door.ts` holds what each door must do.
 */
export interface Door extends AsyncDisposable {
  /** As in the configuration and in messages, and its path below `/-/` if it has one there. */
  readonly name: string
  /** What it answers on the HTTP port. `null`: it listens on ports of its own. */
  readonly mounted: MountedDoor | null
  /** Where it listens itself, e.g. `tcp://0.0.0.0:27000`; told at the start (test/server.test.ts). */
  readonly urls: readonly string[]
}

/** Everything that a door is given by the server. */
export interface DoorEnvironment {
  readonly hub: Hub
  readonly state: StateStore
  readonly policy: Policy
  /** What a user of the ACL file is allowed now. */
  readonly identityOf: (name: string) => Identity
  /** For whoever logs in by a name and a password, as over HTTP. */
  readonly logins: Pick<LoginGate, 'login'>
  /** The same for whoever else knows passwords, and those who guess are the same as at all doors. */
  readonly logInBy: (authenticator: Authenticator) => Pick<LoginGate, 'login'>
  /** For those who guess passwords and tokens, at all doors together. */
  readonly limiter: AttemptLimiter
  /** Connections of its own ports are counted with all others (`limits.connections`). */
  readonly connections: CountedConnections
  readonly limits: DoorLimits
  readonly times: Readonly<Record<string, number | undefined>>
  readonly logger: (level: LogLevel, message: string) => void
}

export interface CountedConnections {
  /** From now on the server's connections count. */
  count(server: Server): void
  /** There are too many with the one that has just come. */
  readonly isExceeded: boolean
}

/** What holds at every door. */
export interface DoorLimits {
  /** Nesting of a payload that is to be a JSON object over HTTP. */
  readonly jsonDepthMax: number
  /** Topics of one publication. */
  readonly topicsMax: number
  /** Unsent bytes of one subscriber. */
  readonly queueBytesMax: number
  /** A peer that takes no byte for so long is closed. */
  readonly stallTimeoutMs: number
  /** Log-ins that wait for a directory. */
  readonly waitingLoginsMax: number
}

/** A protocol, before it is opened: what the start, `check` and the sum of open files need of it. `S` are its settings, `D` is its door. */
export interface Protocol<S, D extends Door = Door> {
  readonly name: string
  /** Files and sockets that it may open besides those that peers open to us. */
  openFilesMax(settings: S): number
  /** What only the protocol can judge of its settings. */
  check(settings: S, surroundings: CheckedSurroundings): Findings
  /**
   * Who a peer can be at this door that is this user over HTTP; `null`: anonymous. What that one may do is the same at all doors, unless it
   * says more of what is asked.
   */
  explain(
    settings: S,
    name: string | null,
    surroundings: CheckedSurroundings,
    asked: AskedAbout,
  ): readonly Explanation[]
  /** @throws {OptionError} its settings cannot work; the message names the file, or the setting. */
  open(settings: S, environment: DoorEnvironment): Promise<D>
  /**
   * The files are read again. What this returns makes the door follow what can change while it is open.
   * @throws {OptionError} it cannot; nothing has changed.
   */
  prepare?(settings: S, door: D): () => void
}

/** What settings of a door may refer to. */
export interface CheckedSurroundings {
  /** Names in the ACL file; `null`: it cannot be read. */
  readonly users: readonly string[] | null
  /** Its name. */
  readonly aclFile: string
  /** A directory may know more of them. */
  readonly hasDirectory: boolean
}

export interface Findings {
  /** What the server would not start with. */
  readonly errors: readonly string[]
  /** What has no effect. `path`: the keys below the door's section. */
  readonly warnings: readonly { readonly path: readonly string[]; readonly text: string }[]
}

/** What somebody wants to do. */
export interface AskedAbout {
  readonly verb: 'publish' | 'listen'
  /** As it is published: percent-decoded. */
  readonly path: string
}

/** In one sentence. `path`: the keys below the door's section that say so. */
export interface Explanation {
  readonly path: readonly string[]
  readonly text: string
}

/** A protocol that the configuration switches on, with its settings. */
export interface ConfiguredDoor {
  readonly name: string
  readonly openFilesMax: number
  check(surroundings: CheckedSurroundings): Findings
  explain(
    name: string | null,
    surroundings: CheckedSurroundings,
    asked: AskedAbout,
  ): readonly Explanation[]
  open(environment: DoorEnvironment): Promise<Door>
  /** For the door of this name, with the settings that there are now. @throws as `Protocol`'s. */
  prepare(door: Door): () => void
}

/** Nothing where the section is missing. */
export function configured<S, D extends Door>(
  protocol: Protocol<S, D>,
  settings: S | null,
): readonly ConfiguredDoor[] {
  if (settings === null) return []
  return [
    {
      name: protocol.name,
      openFilesMax: protocol.openFilesMax(settings),
      check: (surroundings) => protocol.check(settings, surroundings),
      explain: (name, surroundings, asked) => protocol.explain(settings, name, surroundings, asked),
      open: (environment) => protocol.open(settings, environment),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the protocol has opened it
      prepare: (door) => protocol.prepare?.(settings, door as D) ?? (() => {}),
    },
  ]
}
