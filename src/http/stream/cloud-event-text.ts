import { PubSubError } from '../../publication/errors.ts'
import type { PublishedEvent } from '../../hub/event.ts'
import { withoutMembers } from '../../publication/json-text.ts'
import { checkCloudEvent } from '../publish/cloud-event.ts'

/**
 * An event as a CloudEvent in the JSON format (CloudEvents 1.0.2, JSON Event Format §3). One that was published as a CloudEvent
 * is shown as it came; any other becomes the data of one. The extension attributes `pubsubcursor` and `pubsubpath` are ours: a
 * CloudEvent that another server like this one has shown goes on with those of this one.
 */
export function cloudEventText(event: PublishedEvent): string {
  const { payload, cursor, publishedAtMs } = event
  const path = event.path.toWellFormed().replace(CONTROL_CHARACTERS, encodeURIComponent)
  const ours = `"pubsubcursor": "${cursor}", "pubsubpath": ${JSON.stringify(path)}`
  if (isCloudEvent(payload.text)) {
    const came = mayHaveOurs(payload.text)
      ? withoutMembers(payload.text, hasControlLines)
      : payload.text
    return `${came.slice(0, -1)}, ${ours}}`
  }
  const source = encodeURI(event.path.toWellFormed()) || '/' // a URI reference, which the path, decoded, need not be
  const time = new Date(publishedAtMs).toISOString()
  return (
    `{"specversion": "1.0", "id": "${cursor}", "source": "${source}", ` +
    `"type": "pubsubd.event", "time": "${time}", "datacontenttype": "application/json", ${ours}, ` +
    `"data": ${payload.text}}`
  )
}

/** No attribute may have one (CloudEvents 1.0.2, "Type System"), and a path can. */
const CONTROL_CHARACTERS = /\p{Cc}/gu

/** What was published as an ordinary object may be one too, or only look like one. */
function isCloudEvent(text: string): boolean {
  // Most payloads are none, and parsing costs more than the look.
  if (!text.includes('"specversion"') && !hasEscapedNames(text)) return false
  try {
    checkCloudEvent(text)
    return true
  } catch (error) {
    if (error instanceof PubSubError) return false
    throw error
  }
}

function mayHaveOurs(text: string): boolean {
  return text.includes('"pubsub') || hasEscapedNames(text)
}

/** Or may have them: the names of attributes are ASCII, which is seldom escaped. */
function hasEscapedNames(text: string): boolean {
  return text.includes('\\u00')
}

function hasControlLines(name: string): boolean {
  return name === 'pubsubcursor' || name === 'pubsubpath'
}
