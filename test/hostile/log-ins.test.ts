import fc from 'fast-check'
import { hostileGroup, type HostileCase } from './hostile-group.ts'
import { requestText, sendBytes } from './http-input.ts'
import { oddText, repeated, type OddText } from './odd-text.ts'

/** In base64 three bytes are four characters: what fits into `limits.head_bytes`. */
const LENGTH_MAX = 48_000

interface LogIn {
  readonly method: string
  readonly name: OddText
  readonly password: OddText
}

const PIECES = [
  'alice',
  'a',
  ':',
  '\\',
  ',',
  '+',
  '*',
  '(',
  ')',
  '=',
  ' ',
  '\0',
  '\n',
  '\xff',
  '\xc3\xa9',
  '%s',
  'uid=',
]

/** Names and passwords, right ones and any others. Failing is slowed: what is measured here is what each costs. */
const logIns: HostileCase<LogIn> = {
  name: 'names and passwords',
  inputs: fc.record({
    method: fc.constantFrom('GET', 'PUT', 'HEAD'),
    name: oddText(PIECES, LENGTH_MAX / 2),
    password: oddText(PIECES, LENGTH_MAX / 2),
  }),
  examples: [
    { method: 'GET', name: repeated('', 0, 'alice'), password: repeated('w', LENGTH_MAX) },
    { method: 'GET', name: repeated('é', LENGTH_MAX / 2), password: repeated('', 0, 'x') },
  ],
  async send(server, { method, name, password }) {
    const credentials = Buffer.from(`${name.toString()}:${password.toString()}`, 'latin1')
    const lines = [`Authorization: Basic ${credentials.toString('base64')}`]
    if (method === 'PUT') lines.push('Content-Length: 2')
    await sendBytes(server, requestText(method, '/private/fruits', lines), '{}')
  },
}

hostileGroup(
  'log-ins',
  {
    config: {
      clients: { bad_credentials: 'reject' },
      limits: { login_refusal: 0.01, login_delay: 0.01 },
    },
    acl: { alice: { password: 'wonderland', acl: { fruits: ['fruits'] } } },
  },
  [logIns],
)
