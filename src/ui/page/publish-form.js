import { byId } from './element.js'

/** Publishes what is in the form, where the server lets this address. */
export class PublishForm {
  #visitor
  #form = byId('publish')
  #path = byId('publish-path')
  #answer = byId('published')
  #refused = byId('publish-refused')

  constructor(visitor) {
    this.#visitor = visitor
    byId('payload').value = '{\n  "text": "Hello"\n}'
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#publish()
    })
    this.#path.addEventListener('change', () => void this.#look())
  }

  /** `path`: percent-encoded, what is shown now. */
  offer(path) {
    this.#path.value = path === '/' ? '/fruits/apples' : path
    this.#answer.textContent = ''
    void this.#look()
  }

  async #look() {
    const path = decodeURIComponentOr(this.#path.value)
    const why = await this.#visitor.whyNot(path).catch(() => null)
    this.#refused.hidden = why === null
    this.#refused.textContent = `You may not publish here: ${why}.`
    this.#form.querySelector('button').disabled = why !== null
    if (why === null) this.#form.classList.remove('refused')
    else this.#form.classList.add('refused')
  }

  async #publish() {
    const path = this.#path.value.startsWith('/') ? this.#path.value : `/${this.#path.value}`
    const request = {
      method: 'PUT',
      headers: { ...this.#visitor.headers, Accept: 'application/problem+json' },
      body: byId('payload').value,
      credentials: 'omit',
    }
    try {
      const response = await fetch(new URL(path, location.origin).pathname, request)
      const told = response.ok ? 'Published' : (await response.json()).detail
      this.#say(told, response.ok)
    } catch {
      this.#say('No answer: the server cannot be reached', false)
    }
  }

  #say(text, isGood) {
    this.#answer.textContent = text
    this.#answer.dataset.good = String(isGood)
  }
}

function decodeURIComponentOr(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
