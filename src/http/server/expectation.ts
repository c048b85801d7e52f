import type { ServerResponse } from 'node:http'

/** Requests whose sender waits for `100 Continue` before it sends the body. */
const awaiting = new WeakSet<ServerResponse>()

export function markAwaitingContinue(response: ServerResponse): void {
  awaiting.add(response)
}

export function isAwaitingContinue(response: ServerResponse): boolean {
  return awaiting.has(response)
}

/** The request will be carried out if its body is right: it may come. */
export function sendContinue(response: ServerResponse): void {
  if (awaiting.delete(response)) response.writeContinue()
}
