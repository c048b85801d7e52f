import type { PublishedEvent } from '../../src/hub/event.ts'
import type { AppendOptions, EventLog } from '../../src/hub/event-log.ts'
import type { Publication } from '../../src/publication/publication.ts'

/** Appends a batch, and returns its events as the log tells of them. */
export async function appendTo(
  log: Pick<EventLog, 'append' | 'onCommit'>,
  batch: readonly Publication[],
  options?: AppendOptions,
): Promise<readonly PublishedEvent[]> {
  const told: PublishedEvent[] = []
  using _listener = log.onCommit((events) => void told.push(...events))
  const { firstPosition, lastPosition } = await log.append(batch, options)
  return told.filter(({ position }) => position >= firstPosition && position <= lastPosition)
}
