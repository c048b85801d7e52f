import { SignJWT, UnsecuredJWT } from 'jose'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tokens } from '../../../src/protocols/jetblack/tokens.ts'
import { acceptedLogin, logIn } from '../../contracts/authenticator.ts'

const SECRET = Buffer.from('a secret of more than sixteen bytes, and even of sixty-four of them')
const NOW_S = Math.floor(Date.now() / 1_000)

function signed(
  claims: Record<string, unknown>,
  { algorithm = 'HS256', secret = SECRET }: { algorithm?: string; secret?: Uint8Array } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: algorithm }).sign(secret)
}

test('a token that is signed by the secret names its user, by any of the three algorithms', async () => {
  const tokens = new Tokens(SECRET)
  for (const algorithm of ['HS256', 'HS384', 'HS512']) {
    const token = await signed(
      { sub: 'john', exp: NOW_S + 60, iss: 'any', aud: 'any' },
      { algorithm },
    )
    const { identity } = await acceptedLogin(tokens, '', token)
    assert.equal(identity.name, 'john')
    assert.ok(identity.rights.seesNothing)
  }
})

test('a clock may be wrong by five minutes, and no more', async () => {
  const tokens = new Tokens(SECRET)
  for (const [claims, type] of [
    [{ exp: NOW_S - 240 }, 'accepted'],
    [{ exp: NOW_S - 360 }, 'refused'],
    [{ exp: NOW_S + 900, nbf: NOW_S + 240 }, 'accepted'],
    [{ exp: NOW_S + 900, nbf: NOW_S + 360 }, 'refused'],
  ] as const) {
    const result = await logIn(tokens, '', await signed({ sub: 'john', ...claims }))
    assert.equal(result.type, type, JSON.stringify(claims))
  }
})

test('what is signed by nobody, by another secret, says not who, or not until when, is refused', async () => {
  const tokens = new Tokens(SECRET)
  const exp = NOW_S + 60
  const good = await signed({ sub: 'john', exp })
  for (const token of [
    '',
    'no token',
    good.slice(0, -4),
    good.replace(/\.[^.]+$/, '.'),
    new UnsecuredJWT({ sub: 'john', exp }).encode(),
    await signed({ sub: 'john', exp }, { secret: Buffer.alloc(64, 1) }),
    await signed({ sub: 'john' }),
    await signed({ exp }),
    await signed({ sub: '', exp }),
    await signed({ sub: 7, exp }),
    await signed({ sub: null, exp }),
    await signed({ sub: 'john', exp: 'later' }),
  ])
    assert.equal((await logIn(tokens, '', token)).type, 'refused', token)
})

test('another secret holds for whoever logs in from then on', async () => {
  const tokens = new Tokens(SECRET)
  const token = await signed({ sub: 'john', exp: NOW_S + 60 })
  tokens.replace(Buffer.alloc(32, 1))
  assert.equal((await logIn(tokens, '', token)).type, 'refused')
})
