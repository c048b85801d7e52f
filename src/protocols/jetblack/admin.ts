/** The feed on which the server itself speaks, and nobody else. */
export const ADMIN = '__admin__'

/** Its topic for heartbeats. */
export const HEARTBEAT = 'heartbeat'
