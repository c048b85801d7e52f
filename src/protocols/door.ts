import type { AttemptLimiter } from '../auth/attempt-limiter.ts'
import type { Identity } from '../auth/identity.ts'
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
  /** For those who guess passwords and tokens, at all doors together. */
  readonly limiter: AttemptLimiter
  readonly limits: DoorLimits
  readonly times: Readonly<Record<string, number | undefined>>
  readonly logger: (level: LogLevel, message: string) => void
}

/** What holds at every door. */
export interface DoorLimits {
  /** Nesting of a payload that is to be a JSON object over HTTP. */
  readonly jsonDepthMax: number
  /** Topics of one publication. */
  readonly topicsMax: number
  /** Unsent bytes of one subscriber. */
  readonly queueBytesMax: number
}

/** A protocol, before it is opened: what the start, `check` and the sum of open files need of it. `S` are its settings. */
export interface Protocol<S> {
  readonly name: string
  /** Files and sockets that it may open besides those that peers open to us. */
  openFilesMax(settings: S): number
  /** What only the protocol can judge of its settings. */
  check(settings: S, surroundings: CheckedSurroundings): Findings
  /** Who a peer can be at this door that is this user over HTTP; `null`: anonymous. What that one may do is the same at all doors. */
  explain(settings: S, name: string | null, surroundings: CheckedSurroundings): Explanation
  /** @throws {OptionError} its settings cannot work; the message names the file, or the setting. */
  open(settings: S, environment: DoorEnvironment): Promise<Door>
}

/** What settings of a door may refer to. */
export interface CheckedSurroundings {
  /** Names in the ACL file; `null`: it cannot be read. */
  readonly users: readonly string[] | null
  /** Its name. */
  readonly aclFile: string
}

export interface Findings {
  /** What the server would not start with. */
  readonly errors: readonly string[]
  /** What has no effect. `path`: the keys below the door's section. */
  readonly warnings: readonly { readonly path: readonly string[]; readonly text: string }[]
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
  explain(name: string | null, surroundings: CheckedSurroundings): Explanation
  open(environment: DoorEnvironment): Promise<Door>
}

/** Nothing where the section is missing. */
export function configured<S>(
  protocol: Protocol<S>,
  settings: S | null,
): readonly ConfiguredDoor[] {
  if (settings === null) return []
  return [
    {
      name: protocol.name,
      openFilesMax: protocol.openFilesMax(settings),
      check: (surroundings) => protocol.check(settings, surroundings),
      explain: (name, surroundings) => protocol.explain(settings, name, surroundings),
      open: (environment) => protocol.open(settings, environment),
    },
  ]
}
