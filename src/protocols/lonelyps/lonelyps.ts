import { isSameName, sameNamesIn } from '../../auth/name.ts'
import { OptionError } from '../../auth/option-error.ts'
import { OutgoingPolicy } from '../../outgoing/outgoing-policy.ts'
import { shown } from '../../settings/place.ts'
import type { Explanation, Findings, Protocol } from '../door.ts'
import type { Secrets } from './authorization.ts'
import { presetZstd, type Compressor } from './compressor.ts'
import { readSecretsFile } from './secrets-file.ts'
import type { LonelypsSettings, SecretsFile } from './settings.ts'
import type { Presets } from './ws-session.ts'

/** What the server knows of lonelyps before it is opened. */
export const LONELYPS: Protocol<LonelypsSettings> = {
  name: 'lonelyps',
  openFilesMax: ({ webhooks }) => webhooks.connectionsMax,

  check(settings, { users, aclFile }): Findings {
    return {
      errors: problemOf(() => void partsOf(settings)),
      warnings: [...settings.users.keys()]
        .filter((name) => users !== null && !users.some((user) => isSameName(user, name)))
        .map((name) => ({
          path: ['users', name],
          text: `is not in ${aclFile} and sees no private event`,
        })),
    }
  },

  explain(settings, name, { users, aclFile }): readonly Explanation[] {
    if (name === null) return [anonymousIn(settings)]
    const listed = [...settings.users.keys()].find((each) => isSameName(each, name))
    if (listed === undefined) {
      const { path, text } = anonymousIn(settings)
      return [{ path, text: `users has no ${shown(name)}, so nobody is that one there; ${text}` }]
    }
    const isInFile = users?.some((user) => isSameName(user, listed)) ?? false
    const rights = isInFile
      ? `has the rights that ${aclFile} gives to that name`
      : `has those of anonymous only, as that name is not in ${aclFile}`
    const text = `whoever proves the secrets of ${shown(listed)} ${rights}`
    return [{ path: ['users', listed], text }]
  },

  async open(settings, { limits, times, ...environment }) {
    const { webhooks } = settings
    const { secrets, policy, presets } = partsOf(settings)
    const { timeoutMs, connectionsMax } = webhooks
    // Whoever only reads the settings needs neither.
    const { LonelypsDoor } = await import('./door.ts')
    const { OutgoingClient } = await import('../../outgoing/outgoing-client.ts')
    const outgoing = new OutgoingClient({ policy, timeoutMs, connectionsMax })
    const door = await LonelypsDoor.open({
      ...environment,
      times,
      secrets,
      checkUrl: (url) => void policy.check(url),
      outgoing,
      limits: { ...limits, ...settings },
      presets,
      missedForMs: webhooks.missedForMs,
      countedForMs: webhooks.countedForMs,
    })
    return {
      name: 'lonelyps',
      mounted: door,
      urls: [],
      async [Symbol.asyncDispose]() {
        await door[Symbol.asyncDispose]()
        outgoing.close()
      },
    }
  },
}

function anonymousIn({ secrets, users }: LonelypsSettings): Explanation {
  if (secrets !== null)
    return { path: ['secrets'], text: 'whoever proves the secrets of all is anonymous' }
  if (users.size > 0)
    return {
      path: ['users'],
      text: 'nobody is anonymous there, as only users have secrets to prove',
    }
  return { path: [], text: 'everybody is anonymous there, as nobody has secrets to prove' }
}

function problemOf(attempt: () => void): string[] {
  try {
    attempt()
    return []
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    return [error.message]
  }
}

/** What stands in the files that the settings name. @throws {OptionError} naming the file, or the setting. */
function partsOf({
  secrets,
  users,
  webhooks,
  dictionaries,
  messageBytesMax,
  messageMemoryMax,
}: LonelypsSettings): {
  readonly secrets: readonly Secrets[]
  readonly policy: OutgoingPolicy
  readonly presets: Presets
} {
  if (messageMemoryMax < messageBytesMax)
    throw new OptionError(
      `message_memory: ${messageMemoryMax} bytes are less than one message may have (max_message_size: ${messageBytesMax})`,
    )
  const same = sameNamesIn(users.keys())
  if (same !== null)
    throw new OptionError(
      `protocols.lonelyps.users: ${same.map((name) => JSON.stringify(name)).join(' and ')} are the same name, ` +
        'as case, spaces and forms of characters make no difference. Take one of them out',
    )
  const known = [...users].map(([name, file]) => secretsIn(file, name))
  if (secrets !== null) known.push(secretsIn(secrets, null))
  else if (known.length === 0)
    known.push({ name: null, toBroadcaster: { type: 'none' }, toSubscriber: { type: 'none' } })
  return {
    secrets: known,
    policy: outgoingPolicy(webhooks.allow),
    presets: presetsOf(dictionaries),
  }
}

/** @throws {OptionError} naming the place of the host or address that cannot be read. */
function outgoingPolicy(allow: LonelypsSettings['webhooks']['allow']): OutgoingPolicy {
  for (const { text, where } of allow)
    try {
      policyOf([text])
    } catch (error) {
      throw new OptionError(`${where}: ${(error as Error).message}`, { cause: error })
    }
  return policyOf(allow.map(({ text }) => text))
}

function policyOf(allow: readonly string[]): OutgoingPolicy {
  return new OutgoingPolicy({ allow, setting: 'protocols.lonelyps.webhooks.allow' })
}

/** @throws {OptionError} naming the file. */
function presetsOf(dictionaries: LonelypsSettings['dictionaries']): Presets {
  const presets = new Map<number, Compressor>()
  for (const [number, { file, level }] of dictionaries)
    try {
      presets.set(number, presetZstd(number, level, file.bytes))
    } catch (error) {
      throw new OptionError(`${file.file}: ${(error as Error).message}`, { cause: error })
    }
  return presets
}

/** @throws {OptionError} naming the file. */
function secretsIn({ file, text }: SecretsFile, name: string | null): Secrets {
  try {
    return { name, ...readSecretsFile(text) }
  } catch (error) {
    throw new OptionError(`${file}: ${(error as Error).message}`, { cause: error })
  }
}
