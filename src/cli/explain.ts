import { AddressList } from '../auth/address-list.ts'
import { ANONYMOUS } from '../auth/identity.ts'
import { Policy, refusalText, type SecuredTopic } from '../auth/policy.ts'
import { privateViewOf } from '../auth/rights-of.ts'
import { loadAclFile } from '../config/acl-file.ts'
import { placesIn } from '../config/find-place.ts'
import { ONLY_SEGMENT } from '../config/ldap.ts'
import { loadSettings } from '../config/load.ts'
import { configuredDoors } from '../doors.ts'
import { shown } from '../settings/place.ts'
import type { Settings } from '../config/schema.ts'
import { printable } from '../ops/logger.ts'
import { readArguments, UsageError } from './arguments.ts'
import { EXIT } from './exit-code.ts'
import { FILE_OPTIONS, FILE_OPTIONS_HELP, filesOf } from './file-options.ts'
import { grantsFor, type Grant, type Subject } from './grants.ts'
import type { Command } from './run-command.ts'

const HELP = `pubsubd explain: tells who may publish to a path and listen to it, and which rule decides, with file and line.
Of each protocol that is switched on beside HTTP it tells who one can be there; what that one may do is the same.

Usage: pubsubd explain [publish|listen] PATH [options]

      --as NAME       of pubsub_acl.yaml, or of the directory (default: anonymous)
      --from ADDRESS  where the publisher is
${FILE_OPTIONS_HELP}

A name that only the directory knows is looked up there: by whoever searches, where ldap.search is set; else as that user
with the password in PUBSUBD_PASSWORD, or without one anonymously, and may be shown less.

Exit code: 0 yes, or yes in part, 3 no, 4 the directory cannot be asked, 2 wrong usage, 1 the files cannot be used.

Examples:
  pubsubd explain --as alice listen /private/commit
  pubsubd explain publish /builds --from 10.1.2.3
  PUBSUBD_PASSWORD=… pubsubd explain --as jane /private/commit
`

const OPTIONS = {
  as: { type: 'string' },
  from: { type: 'string' },
  ...FILE_OPTIONS,
} as const

export const explainCommand: Command = {
  help: HELP,
  options: OPTIONS,
  run: explain,
}

async function explain(words: readonly string[]): Promise<number> {
  const { values, names } = readArguments(words, OPTIONS, 2)
  const verbs = names.length === 2 ? [names[0]!] : ['publish', 'listen']
  const path = names.at(-1)
  if (path === undefined || !path.startsWith('/'))
    throw new UsageError('name the path, such as /private/commit')
  const configuration = filesOf(values)
  const { settings } = loadSettings(configuration.settings)
  const { users } = loadAclFile(configuration.acl)
  const files = { settings: placesIn(configuration.settings), acl: placesIn(configuration.acl) }
  const { ldap, badCredentials } = settings.clients
  const subject = await grantsFor(values.as ?? null, { users, ldap, badCredentials }, files)
  const rules = new Rules(settings.clients, subject, files.settings)
  const surroundings = {
    users: users.map(({ name }) => name),
    aclFile: configuration.acl,
    hasDirectory: ldap !== null,
  }
  const atDoors = (verb: 'publish' | 'listen') =>
    configuredDoors(settings.protocols).flatMap((door) =>
      door
        .explain(values.as ?? null, surroundings, { verb, path: decoded(path) })
        .map(
          ({ path: keys, text }) =>
            `over ${door.name}: ${text} (${files.settings(['protocols', door.name, ...keys])})`,
        ),
    )
  let isAllowed = true
  for (const verb of verbs) {
    if (verb !== 'publish' && verb !== 'listen')
      throw new UsageError(`explain publish or listen, not ${JSON.stringify(verb)}`)
    const told =
      verb === 'publish' ? rules.publish(decoded(path), values.from) : rules.listen(decoded(path))
    isAllowed &&= told.answer !== 'no'
    const who = values.as === undefined ? 'anonymous' : shown(values.as)
    write(`${verb} ${path} as ${who}: ${told.answer}`)
    for (const reason of [...subject.notes, ...told.reasons, ...atDoors(verb)]) write(`  ${reason}`)
  }
  return isAllowed ? EXIT.done : EXIT.refused
}

interface Explanation {
  readonly answer: 'yes' | 'no' | 'in part' | 'it depends on the address'
  readonly reasons: readonly string[]
}

class Rules {
  readonly #clients: Settings['clients']
  readonly #subject: Subject
  readonly #where: ReturnType<typeof placesIn>

  constructor(clients: Settings['clients'], subject: Subject, where: ReturnType<typeof placesIn>) {
    this.#clients = clients
    this.#subject = subject
    this.#where = where
  }

  publish(path: string, address: string | undefined): Explanation {
    if (this.#subject.isRefused) return { answer: 'no', reasons: [] }
    const { payloaders, secureTopics } = this.#clients
    const policy = new Policy({
      publishers: new AddressList(payloaders.map(({ text }) => text)),
      secureTopics,
    })
    const held = new Set(this.#subject.grants.flatMap((grant) => grant.secureTopics))
    const identity = { ...ANONYMOUS, secureTopics: held }
    const { allowed, reason } = policy.mayPublishPath(topicsOf(path), {
      address: address ?? null,
      identity,
    })
    const answer = allowed ? 'yes' : 'no'
    if (reason.type === 'holder' || reason.type === 'secured-topic')
      return { answer, reasons: reason.secured.map((topic) => this.#aboutSecured(topic)) }
    if (reason.type === 'publisher-address') {
      const { text, where } = payloaders[reason.rangeIndex]!
      return { answer, reasons: [`${ADDRESS_DECIDES}: ${text} (${where})`] }
    }
    if (reason.type !== 'foreign-address') return { answer, reasons: [refusalText(reason)] }
    return address === undefined ? this.#publishersOf() : this.#foreign(address)
  }

  #aboutSecured({ topic, isHeld }: SecuredTopic): string {
    const at = this.#clients.secureTopics.indexOf(topic)
    const secured = `${shown(topic)} is secured (${this.#where(['clients', 'secure_topics', at])})`
    if (!isHeld) return `${secured}, and not among the topics of this name`
    const holder = this.#subject.grants.find((grant) => grant.secureTopics.includes(topic))!
    return `${secured}, and among the topics of ${holder.name} (${holder.whereTopic(topic)})`
  }

  #foreign(address: string): Explanation {
    const place = this.#where(['clients', 'payloaders'])
    const reason = `${ADDRESS_DECIDES}: ${shown(address)} is in none of clients.payloaders (${place})`
    return { answer: 'no', reasons: [reason] }
  }

  /** Nobody has said which address. */
  #publishersOf(): Explanation {
    const { payloaders } = this.#clients
    if (payloaders.length === 0)
      return { answer: 'no', reasons: [`${ADDRESS_DECIDES}: clients.payloaders lists none`] }
    const rules = payloaders.map(({ text, where }) => `${text} (${where})`)
    return {
      answer: 'it depends on the address',
      reasons: [`${ADDRESS_DECIDES}; give --from:`, ...rules],
    }
  }

  listen(path: string): Explanation {
    if (this.#subject.isRefused) return { answer: 'no', reasons: [] }
    const groups = path.split(',').map((group) => {
      const topics = topicsOf(group)
      const isPrivate = topics[0] === 'private'
      return this.#listenTo(isPrivate ? topics.slice(1) : topics, isPrivate)
    })
    const answers = groups.map(({ answer }) => answer)
    const isOne = answers.every((answer) => answer === answers[0])
    return {
      answer: isOne ? answers[0]! : 'in part',
      reasons: groups.flatMap(({ reasons }) => reasons),
    }
  }

  #listenTo(topics: readonly string[], isPrivate: boolean): Explanation {
    const wanted = topics.length === 0 ? 'of any topic' : `with ${topics.map(shown).join(' and ')}`
    const seen = this.#privateEvents(topics)
    const reasons = seen.reasons.map((reason) => `private events ${wanted}: ${reason}`)
    if (isPrivate) return { answer: seen.answer, reasons }
    return { answer: 'yes', reasons: [`public events ${wanted}: all, as everybody`, ...reasons] }
  }

  #privateEvents(topics: readonly string[]): Explanation {
    const rules = this.#subject.grants.flatMap((grant) =>
      Array.from(grant.segments, ([name, needed]) => [ruleOf(grant, name), needed] as const),
    )
    const view = privateViewOf(rules, topics)
    if (view.sees === 'all')
      return { answer: 'yes', reasons: view.by.map((rule) => `all, by ${rule}`) }
    if (view.sees === 'none')
      return { answer: 'no', reasons: ['none, as no segment of an ACL is this name’s'] }
    return {
      answer: 'in part',
      reasons: view.by.map(
        ({ segment, missing }) =>
          `those that have ${missing.map(shown).join(' and ')}, too, by ${segment}`,
      ),
    }
  }
}

const ADDRESS_DECIDES = 'no topic of it is secured, so the address decides'

function ruleOf(grant: Grant, segment: string): string {
  const rule = segment === ONLY_SEGMENT ? 'the list' : `the segment ${shown(segment)}`
  return `${rule} of ${grant.name} (${grant.whereSegment(segment)})`
}

function topicsOf(path: string): string[] {
  return path.split('/').filter((topic) => topic !== '')
}

/** A path as in a URL, or as it is meant. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function write(line: string): void {
  process.stdout.write(`${printable(line)}\n`)
}
