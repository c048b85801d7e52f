import { Audience, EventEncoder } from '../../src/hub/audience.ts'
import { SharedGroup, type AudienceGroup } from '../../src/hub/audience-group.ts'
import { NO_FAN_OUT, type FanOut } from '../../src/hub/fan-out.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import { canonicalWants } from '../../src/hub/wants.ts'
import { WantIndex } from '../../src/hub/want-index.ts'
import { PLAIN } from './recording-sink.ts'

interface Traits {
  readonly id?: number
  readonly rights?: Rights
  readonly encoder?: EventEncoder
  readonly fanOut?: FanOut
}

/** An audience of all events, without a hub around it. */
export function testAudience({
  id = 1,
  rights = PUBLIC_ONLY,
  encoder = new EventEncoder(PLAIN),
  fanOut = NO_FAN_OUT,
}: Traits = {}): Audience {
  const everything = canonicalWants([{ topics: [], privateOnly: false }])
  const group = new SharedGroup<Audience>(everything, new WantIndex<AudienceGroup<Audience>>())
  return new Audience(id, `${id}`, { group, conditions: [], rights, encoder }, fanOut)
}
