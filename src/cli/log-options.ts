import { FILE_OPTIONS } from './file-options.ts'

/** How every command of `log` is told which store. */
export const STORE_OPTIONS = {
  config: FILE_OPTIONS.config,
  store: { type: 'string' },
} as const

export const EXPORT_OPTIONS = {
  private: { type: 'boolean' },
  since: { type: 'string' },
  until: { type: 'string' },
} as const

export const IMPORT_OPTIONS = { pypubsub: { type: 'boolean' } } as const
