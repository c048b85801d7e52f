import { FILE_OPTIONS } from './file-options.ts'

/** Of the server itself. */
export const SERVE_OPTIONS = {
  ...FILE_OPTIONS,
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', default: false },
} as const
