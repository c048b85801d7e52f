import { Audience, EventEncoder } from '../../src/hub/audience.ts'
import { AudienceGroup } from '../../src/hub/audience-group.ts'
import type { DirectSend } from '../../src/hub/encoding.ts'
import { PUBLIC_ONLY, type Rights } from '../../src/hub/rights.ts'
import { TopicIndex } from '../../src/hub/topics.ts'
import { PLAIN } from './recording-sink.ts'

interface Traits {
  readonly id?: number
  readonly rights?: Rights
  readonly encoder?: EventEncoder
  readonly send?: DirectSend
}

/** An audience of all events, without a hub around it. */
export function testAudience({
  id = 1,
  rights = PUBLIC_ONLY,
  encoder = new EventEncoder(PLAIN),
  send = () => -1,
}: Traits = {}): Audience {
  const index = new TopicIndex<AudienceGroup<Audience>>()
  const everything = [{ topics: [], privateOnly: false }]
  const group = new AudienceGroup<Audience>('*', (owner) => index.add(everything, owner))
  return new Audience(id, `${id}`, { group, conditions: [], rights, encoder }, send)
}
