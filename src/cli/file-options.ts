import { GIVEN_OPTIONS, givenSettings } from '../config/given-settings.ts'
import type { SettingsSource } from '../config/load.ts'

/** How a command is told which configuration files, and what counts before them. */
export const FILE_OPTIONS = {
  config: { type: 'string' },
  acl: { type: 'string' },
  ...GIVEN_OPTIONS,
} as const

/** How they are told of in a help text. */
export const FILE_OPTIONS_HELP = `\
  --config FILE   settings (default: pubsub.yaml)
  --acl FILE      users and what they may see (default: pubsub_acl.yaml)
  --port PORT, and the next ones, count before the file
  --bind ADDRESS  where to listen
  --store DIR     where events are kept: server.backlog.storage, with or without ".pubsubd"
  --publishers ADDRESSES
                  who may publish, with commas between: clients.payloaders
  --log-format FORMAT
                  auto, text or json
  --log-level LEVEL
                  info, warn or error
Each has a variable, too, which counts behind it: PUBSUBD_CONFIG, PUBSUBD_ACL, PUBSUBD_PORT, … PUBSUBD_LOG_LEVEL.`

type FileOptions = { readonly [name in keyof typeof FILE_OPTIONS]?: string | undefined }

export interface ConfigurationFiles {
  readonly settings: SettingsSource
  readonly acl: string
}

export function filesOf(values: FileOptions): ConfigurationFiles {
  const named = values.config ?? process.env['PUBSUBD_CONFIG']
  const given = givenSettings(values)
  return {
    settings: {
      file: named ?? 'pubsub.yaml',
      given,
      // Who says where it listens, or who may publish, needs no file.
      mayBeAbsent: named === undefined && given.some(({ path: [section] }) => section !== 'log'),
    },
    acl: values.acl ?? process.env['PUBSUBD_ACL'] ?? 'pubsub_acl.yaml',
  }
}
