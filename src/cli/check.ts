import { once } from 'node:events'
import { accessSync, constants, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import { AddressList } from '../auth/address-list.ts'
import { AclUsers } from '../auth/acl-users.ts'
import { loadAclFile, type AclUser } from '../config/acl-file.ts'
import { ConfigError } from '../settings/config-error.ts'
import { placesIn, type PlacePath } from '../config/find-place.ts'
import { ONLY_SEGMENT } from '../config/ldap.ts'
import { warningsOfVariables } from '../config/given-settings.ts'
import { loadSettings } from '../config/load.ts'
import { shown } from '../settings/place.ts'
import type { Settings } from '../config/schema.ts'
import { printable } from '../ops/logger.ts'
import { StartError, type ListenedOn, type SettingPath } from '../ops/start-error.ts'
import { configuredDoors } from '../doors.ts'
import { readArguments } from './arguments.ts'
import { EXIT } from './exit-code.ts'
import {
  FILE_OPTIONS,
  FILE_OPTIONS_HELP,
  filesOf,
  type ConfigurationFiles,
} from './file-options.ts'
import type { Command } from './run-command.ts'

const HELP = `pubsubd check: reads both configuration files and tells everything that is wrong with them, without a server.

Usage: pubsubd check [options]

${FILE_OPTIONS_HELP}
  --strict        exit code 1 for warnings, too

An error is what the server would not start with. Warnings are unknown keys, with the nearest right one, and what has no
effect: addresses that are covered twice, what cannot be listened on or written to here, rights that no event can match, secure topics that nobody may publish to.

Exit code: 0 no errors, 1 errors, 2 wrong usage.

Examples:
  pubsubd check
  pubsubd check --strict --config /etc/pubsubd/pubsub.yaml --acl /etc/pubsubd/pubsub_acl.yaml && systemctl reload pubsubd
`

const OPTIONS = {
  ...FILE_OPTIONS,
  strict: { type: 'boolean' },
} as const

export const checkCommand: Command = {
  help: HELP,
  options: OPTIONS,
  run: check,
}

async function check(words: readonly string[]): Promise<number> {
  const { values } = readArguments(words, OPTIONS, 0)
  const report = new Report()
  const files = filesOf(values)
  const settings = report.unlessBroken(() => loadSettings(files.settings))
  const acl = report.unlessBroken(() => loadAclFile(files.acl))
  for (const warning of [
    ...warningsOfVariables(),
    ...(settings?.warnings ?? []),
    ...(acl?.warnings ?? []),
  ])
    report.warn(warning)
  if (settings !== null) {
    checkSettings(settings.settings, placesIn(files.settings), report)
    await checkPorts(settings.settings, placesIn(files.settings), report)
  }
  if (acl !== null) checkUsers(acl.users, placesIn(files.acl), report)
  if (settings !== null) checkDoors(settings.settings, acl?.users ?? null, files, report)
  if (settings !== null && acl !== null)
    checkSecureTopics(settings.settings.clients, acl.users, files, report)
  return report.end(values.strict === true)
}

type Where = (path: PlacePath) => string

class Report {
  #errors = 0
  #warnings = 0

  unlessBroken<T>(load: () => T): T | null {
    try {
      return load()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const problem of error.problems) this.error(problem)
      for (const warning of error.warnings) this.warn(warning)
      return null
    }
  }

  error(sentence: string): void {
    this.#errors++
    process.stdout.write(`error: ${printable(sentence)}\n`)
  }

  warn(sentence: string): void {
    this.#warnings++
    process.stdout.write(`warning: ${printable(sentence)}\n`)
  }

  /** The exit code. */
  end(isStrict: boolean): number {
    process.stdout.write(`errors: ${this.#errors}, warnings: ${this.#warnings}\n`)
    return this.#errors > 0 || (isStrict && this.#warnings > 0) ? EXIT.failed : EXIT.done
  }
}

/** What only the rooms that use the settings can judge. */
function checkSettings({ server, clients }: Settings, where: Where, report: Report): void {
  const { pidFile, backlog } = server
  if (backlog.storage !== null)
    checkWritable(`${backlog.storage}.pubsubd`, ['server', 'backlog', 'storage'], where, report)
  if (pidFile !== null) checkWritable(pidFile, ['server', 'pid_file'], where, report)
  checkAddresses(clients.payloaders, report)
  checkAddresses(clients.trustProxy, report)
  if (clients.ldap === null) return
  for (const [dn, { segments }] of clients.ldap.acl)
    checkSegments(segments, (name) => where(['clients', 'ldap', 'acl', dn, name]), report)
}

/** Without making anything. A warning, as the server may be another user's than whoever checks. */
function checkWritable(file: string, path: SettingPath, where: Where, report: Report): void {
  let there = resolve(file)
  while (!existsSync(there)) there = dirname(there)
  try {
    // A file where a directory has to be is told as that.
    accessSync(there === resolve(file) ? there : `${there}/.`, constants.W_OK)
  } catch (error) {
    const { message } = StartError.at(path, 'cannot be used by the user of this process', error)
    report.warn(`${where(path)}: ${message}`)
  }
}

/** A port that somebody listens on already is no fault: the server does, where it runs while its files are checked. */
async function checkPorts(
  { server: { bind: host, port, tls } }: Settings,
  where: Where,
  report: Report,
): Promise<void> {
  const hostPath = ['server', 'bind']
  const wanted: ListenedOn[] = [{ host, hostPath, port, portPath: ['server', 'port'] }]
  if (tls !== null)
    wanted.push({ host, hostPath, port: tls.port, portPath: ['server', 'tls', 'port'] })
  const told = new Set<string>()
  for (const each of wanted) {
    const listener = createServer()
    try {
      listener.listen({ host, port: each.port, ipv6Only: true })
      await once(listener, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue
      const { message, path } = StartError.listening(error, each)
      told.add(`${where(path)}: ${message}`)
    } finally {
      listener.close()
    }
  }
  for (const sentence of told) report.warn(sentence)
}

function checkDoors(
  { protocols, clients }: Settings,
  users: readonly AclUser[] | null,
  files: ConfigurationFiles,
  report: Report,
): void {
  const where = placesIn(files.settings)
  const names = users?.map(({ name }) => name) ?? null
  const hasDirectory = clients.ldap !== null
  for (const door of configuredDoors(protocols)) {
    const { errors, warnings } = door.check({ users: names, aclFile: files.acl, hasDirectory })
    for (const error of errors) report.error(error)
    for (const { path, text } of warnings)
      report.warn(`${where(['protocols', door.name, ...path])}: ${shown(path.at(-1)!)} ${text}`)
  }
}

function checkAddresses(ranges: Settings['clients']['payloaders'], report: Report): void {
  const before: { readonly text: string; readonly list: AddressList }[] = []
  for (const { text, where } of ranges) {
    try {
      const list = new AddressList([text])
      const covering = before.find((other) => other.list.covers(text))
      const covered = before.find((other) => list.covers(other.text))
      if (covering !== undefined)
        report.warn(`${where}: ${text} is covered by ${covering.text} already; take it out`)
      else if (covered !== undefined)
        report.warn(`${where}: ${text} covers ${covered.text}, too; take that out`)
      before.push({ text, list })
    } catch (error) {
      report.error(`${where}: ${(error as Error).message}`)
    }
  }
}

function checkUsers(users: readonly AclUser[], where: Where, report: Report): void {
  try {
    void new AclUsers(users)
  } catch (error) {
    report.error((error as Error).message)
  }
  for (const { name, password, segments } of users) {
    const user = where([name])
    if (password === null) report.warn(`${user}: ${shown(name)} has no password and never logs in`)
    if (name.includes(':'))
      report.warn(
        `${user}: ${shown(name)} never logs in: HTTP Basic ends a name at its first colon`,
      )
    checkSegments(segments, (segment) => where([name, 'acl', segment]), report)
  }
}

function checkSegments(
  segments: ReadonlyMap<string, readonly string[]>,
  where: (name: string) => string,
  report: Report,
): void {
  for (const [name, topics] of segments) {
    const wrong = topics.find((topic) => topic === '' || topic.includes('/'))
    if (wrong !== undefined)
      report.warn(
        `${where(name)}: ${segmentText(name)} matches no event: ` +
          `no topic is ${wrong === '' ? 'empty' : `${shown(wrong)}, with a slash; list its parts`}`,
      )
    else if (topics.includes('private'))
      report.warn(
        `${where(name)}: ${segmentText(name)} matches no event but those of /private/private: ` +
          'the first topic "private" makes an event private and is taken off; leave it out',
      )
    else {
      const wider = [...segments].find(
        ([other, others]) =>
          other !== name &&
          others.every((topic) => topics.includes(topic)) &&
          (others.length < topics.length || isFirst(segments, other, name)),
      )
      if (wider !== undefined)
        report.warn(
          `${where(name)}: ${segmentText(name)} adds nothing: ${segmentText(wider[0])} covers every event that it matches`,
        )
    }
  }
}

/** Of the one segment of a group that has no name, its list is all there is. */
function segmentText(name: string): string {
  return name === ONLY_SEGMENT ? 'the list' : shown(name)
}

/** When two say the same, only the second is told. */
function isFirst(map: ReadonlyMap<string, unknown>, first: string, second: string): boolean {
  const names = [...map.keys()]
  return names.indexOf(first) < names.indexOf(second)
}

/** Both files have a say in who may publish to a secure topic. */
function checkSecureTopics(
  { secureTopics, ldap }: Settings['clients'],
  users: readonly AclUser[],
  files: ConfigurationFiles,
  report: Report,
): void {
  const inConfig = placesIn(files.settings)
  const inAcl = placesIn(files.acl)
  const holders = [
    ...users.map((user) => ({
      ...user,
      canLogIn: user.password !== null,
      where: (at: number) => inAcl([user.name, 'topics', at]),
    })),
    ...Array.from(ldap?.acl ?? [], ([name, group]) => ({
      ...group,
      name,
      canLogIn: true,
      where: (at: number) => inConfig(['clients', 'ldap', 'acl', name, 'topics', at]),
    })),
  ]
  for (const { name, secureTopics: topics, where } of holders)
    for (const [at, topic] of topics.entries())
      if (!secureTopics.includes(topic))
        report.warn(
          `${where(at)}: that ${shown(name)} may publish to ${shown(topic)} has no effect: it is none of clients.secure_topics`,
        )
  for (const [at, topic] of secureTopics.entries())
    if (!holders.some((holder) => holder.canLogIn && holder.secureTopics.includes(topic)))
      report.warn(
        `${inConfig(['clients', 'secure_topics', at])}: nobody may publish to ${shown(topic)}: no user and no group has it in its topics`,
      )
}
