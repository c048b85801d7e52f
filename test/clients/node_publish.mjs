// Publishes with `http.request`: node_publish.mjs URL OPTIONS (JSON: user, password). The payload is on standard input.
import { once } from 'node:events'
import http from 'node:http'

const [url, json] = process.argv.slice(2)
const { user, password } = JSON.parse(json)
const auth = user && `${user}:${password}`

const request = http.request(url, { method: 'PUT', auth })
process.stdin.pipe(request)
const [response] = await once(request, 'response')
const body = (await response.setEncoding('utf8').toArray()).join('')
console.log(JSON.stringify({ status: response.statusCode, body }))
