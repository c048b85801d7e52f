import { exchange, request, watched, type Case } from '../case.ts'

const put = (headers: readonly string[], host = 'pubsub.test') =>
  request('PUT', '/x', { headers, body: '{"n": 1}' }).replace('Host: pubsub.test', `Host: ${host}`)

/** What a browser adds to a page's request. */
const origins: Readonly<Record<string, string>> = {
  'with an Origin elsewhere': put([
    'Origin: http://page.test',
    'Content-Type: text/plain;charset=UTF-8',
  ]),
  'with the Origin null': put(['Origin: null']),
  'with an Origin that equals a Host with a name': put(['Origin: http://pubsub.test']),
  'with an Origin that equals a Host with an address': put(
    ['Origin: http://127.0.0.1:2069'],
    '127.0.0.1:2069',
  ),
  'with an Origin that equals the Host localhost': put(
    ['Origin: http://localhost:2069'],
    'localhost:2069',
  ),
  'with an Origin on another port of the Host': put(
    ['Origin: http://127.0.0.1:8080'],
    '127.0.0.1:2069',
  ),
  'with Sec-Fetch-Site: cross-site': put(['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors']),
  'with Sec-Fetch-Site: same-site': put(['Sec-Fetch-Site: same-site']),
  'with Sec-Fetch-Site: same-origin': put(['Sec-Fetch-Site: same-origin']),
  'with Sec-Fetch-Site: none': put(['Sec-Fetch-Site: none']),
  'with a Referer elsewhere': put(['Referer: http://page.test/']),
}

export const originCases: readonly Case[] = Object.entries(origins).map(([what, bytes]) => ({
  name: `a publication ${what}`,
  config: 'open',
  steps: watched(
    ...exchange('client', bytes),
    ...exchange('client', request('PUT', '/second', { body: '{"next": 1}' })),
  ),
}))
