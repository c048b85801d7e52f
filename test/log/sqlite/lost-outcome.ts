import { Worker } from 'node:worker_threads'

// oxlint-disable-next-line typescript/unbound-method -- it is given back its worker below
const { postMessage } = Worker.prototype

/** The thread that gets the next commit ends without an answer, once the commit is stored or before it has seen it. */
export function loseNextOutcome(isStored: boolean): void {
  Worker.prototype.postMessage = function (this: Worker, ...words) {
    if ((words[0] as { method?: string }).method !== 'commit') return postMessage.apply(this, words)
    Worker.prototype.postMessage = postMessage
    if (!isStored) return void this.terminate()
    this.removeAllListeners('message').once('message', () => void this.terminate())
    return postMessage.apply(this, words)
  }
}
