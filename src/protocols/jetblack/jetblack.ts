import type { Explanation, Findings, Protocol } from '../door.ts'
import type { JetblackSettings } from './settings.ts'

/** What the server knows of jetblack before it is opened. */
export const JETBLACK: Protocol<JetblackSettings> = {
  name: 'jetblack',
  openFilesMax: ({ ports }) => ports.size,

  check(): Findings {
    return { errors: [], warnings: [] }
  },

  explain(): Explanation {
    return { path: [], text: 'everybody is nobody there, and sees what is public' }
  },

  async open(settings, { hub, policy, limits, logger }) {
    // Whoever only reads the settings needs neither.
    const { JetblackDoor } = await import('./door.ts')
    const door = await JetblackDoor.open({ settings, hub, policy, limits, logger })
    return {
      name: 'jetblack',
      mounted: null,
      urls: door.urls,
      [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
    }
  },
}
