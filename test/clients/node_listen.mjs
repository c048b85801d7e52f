// A stream read with `http.get`: node_listen.mjs URL OPTIONS (JSON: user, password, headers).
import http from 'node:http'
import https from 'node:https'

const [url, json] = process.argv.slice(2)
const { user, password, headers } = JSON.parse(json)
const auth = user && `${user}:${password}`
const { get } = url.startsWith('https:') ? https : http

get(url, { auth, headers }, (response) => {
  let text = ''
  response.setEncoding('utf8')
  response.on('data', (chunk) => {
    text += chunk
    // Two events in one chunk would be no JSON.
    if (!text.endsWith('\n')) return
    console.log(JSON.stringify(JSON.parse(text)))
    text = ''
  })
})
