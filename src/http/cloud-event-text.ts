import type { PublishedEvent } from '../hub/event.ts'

/**
 * An event as a CloudEvent in the JSON format (CloudEvents 1.0.2, JSON Event Format §3). One that was published as a CloudEvent
 * is shown as it came; any other becomes the data of one. The extension attributes `pubsubcursor` and `pubsubpath` are ours.
 */
export function cloudEventText(event: PublishedEvent): string {
  const { payload, path, cursor, publishedAtMs } = event
  const ours = `"pubsubcursor": "${cursor}", "pubsubpath": ${JSON.stringify(path)}`
  if (isCloudEvent(payload.text)) return `${payload.text.slice(0, -1)}, ${ours}}`
  const source = encodeURI(path) || '/' // a URI reference, which the path, decoded, need not be
  const time = new Date(publishedAtMs).toISOString()
  return (
    `{"specversion": "1.0", "id": "${cursor}", "source": "${source}", ` +
    `"type": "pubsubd.event", "time": "${time}", "datacontenttype": "application/json", ${ours}, ` +
    `"data": ${payload.text}}`
  )
}

/** Whether a payload has the attributes that every CloudEvent has (CloudEvents 1.0.2 §3.1). */
function isCloudEvent(text: string): boolean {
  // Most payloads are none, and parsing costs more than the look.
  if (!text.includes('"specversion"')) return false
  const payload: Record<string, unknown> = JSON.parse(text)
  return (
    payload['specversion'] === '1.0' &&
    ['id', 'source', 'type'].every(
      (name) => typeof payload[name] === 'string' && payload[name] !== '',
    ) &&
    !('pubsubcursor' in payload) &&
    !('pubsubpath' in payload)
  )
}
