/** How a command is told which configuration files. */
export const FILE_OPTIONS = {
  config: { type: 'string', default: 'pubsub.yaml' },
  acl: { type: 'string', default: 'pubsub_acl.yaml' },
} as const
