import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { ConfigError } from './config-error.ts'
import { placeBelow, refuse, type Place } from './place.ts'
import { judged, optional, required, sectionReader } from './section.ts'
import { readTextFile } from './text-file.ts'
import { integer, text, type Reader } from './values.ts'

/** For a port on which TLS is spoken from the first byte. */
export interface TlsFiles {
  /** The certificate, then its chain. */
  readonly certPem: string
  readonly keyPem: string
}

export const certificateFile = pemFile('a PEM certificate', (pem) => new X509Certificate(pem))

const privateKeyFile = pemFile('a PEM private key without a passphrase', createPrivateKey)

/** The contents of the file that is named, once `parse` accepts them. */
function pemFile(contents: string, parse: (pem: string) => unknown): Reader<string> {
  return (node, place) => {
    const file = text(node, place)
    try {
      const pem = readTextFile(file)
      parse(pem)
      return pem
    } catch (error) {
      if (error instanceof ConfigError)
        return refuse(place, `is not usable: ${error.message}`, error)
      return refuse(place, `must name a file with ${contents}; ${file} has none`, error)
    }
  }
}

const files = {
  cert: required('cert', certificateFile),
  key: required('key', privateKeyFile),
  chain: optional('chain', certificateFile),
}

function pairOf(
  {
    cert,
    key,
    chain,
  }: { readonly cert: string; readonly key: string; readonly chain: string | null },
  place: Place,
): TlsFiles {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    refuse(placeBelow(place, 'key', place), 'does not belong to the certificate in cert')
  const certPem = chain === null ? cert : `${cert.trimEnd()}\n${chain}`
  try {
    createSecureContext({ cert: certPem, key })
  } catch (error) {
    refuse(place, `is not usable: ${error instanceof Error ? error.message : String(error)}`, error)
  }
  return { certPem, keyPem: key }
}

export const tlsFiles = judged(sectionReader(files), pairOf)

/** For a second port. */
export const tls = judged(
  sectionReader({ port: required('port', integer(0, 65_535)), ...files }),
  ({ port, ...pair }, place) => ({ port, ...pairOf(pair, place) }),
)
