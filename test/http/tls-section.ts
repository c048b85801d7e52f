import { after } from 'node:test'
import { FIRST } from '../config/certificates.ts'
import { TemporaryFiles } from '../config/temporary-files.ts'

/** `server.tls` for a free port, with files that last as long as the tests of the file that asks. */
export function tlsSection() {
  const files = new TemporaryFiles()
  after(() => files[Symbol.dispose]())
  return {
    port: 0,
    cert: files.write('cert.pem', FIRST.certPem),
    key: files.write('key.pem', FIRST.keyPem),
  }
}
