import type { Settings } from './config/schema.ts'
import { configured, type ConfiguredDoor } from './protocols/door.ts'
import { JETBLACK } from './protocols/jetblack/jetblack.ts'
import { LONELYPS } from './protocols/lonelyps/lonelyps.ts'

/** The doors that the configuration switches on. A new protocol has one line here, and one in `config/schema.ts`. */
export function configuredDoors({
  lonelyps,
  jetblack,
}: Settings['protocols']): readonly ConfiguredDoor[] {
  return [...configured(LONELYPS, lonelyps), ...configured(JETBLACK, jetblack)]
}
