/** Whom the server takes us for, and whether a path is ours to publish to. The password is here and nowhere else. */
export class Visitor {
  /** Empty: anonymous. */
  user = ''
  #headers = {}

  get headers() {
    return this.#headers
  }

  /** `false`, or why the server does not take the credentials. */
  async logIn(user, password) {
    const bytes = new TextEncoder().encode(`${user}:${password}`)
    const basic = btoa(String.fromCharCode(...bytes))
    const headers = { Authorization: `Basic ${basic}` }
    const response = await ask('/', headers)
    if (!response.ok) return (await response.text()).trim()
    if ((await response.json()).user === null) return 'name or password is wrong'
    this.user = user
    this.#headers = headers
    return false
  }

  logOut() {
    this.user = ''
    this.#headers = {}
  }

  /** Why nothing can be published there; `null` if it can. */
  async whyNot(path) {
    const response = await ask(path, this.#headers)
    if (!response.ok) return 'your name or password is not taken'
    const { may_publish: mayPublish, reason } = await response.json()
    return mayPublish ? null : reason
  }
}

function ask(path, headers) {
  const options = { headers, cache: 'no-store', credentials: 'omit' }
  return fetch(`/-/visitor?${new URLSearchParams({ path, origin: location.origin })}`, options)
}
