import { element } from './element.js'

/** Members shown of one object or array, and characters of one string, before somebody asks for more. */
const MEMBERS_MAX = 100
const CHARACTERS_MAX = 4_000

/** A number in its own words, where a double would change them. */
class NumberText {
  source

  constructor(source) {
    this.source = source
  }

  toString() {
    return this.source
  }
}

/** JSON whose numbers are shown as they were published. */
export function parseExactly(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === 'number' && context?.source !== undefined && context.source !== String(value)
      ? new NumberText(context.source)
      : value,
  )
}

/** The first members of an object, in a line or two. */
export function previewOf(payload) {
  const shown = element('span', { className: 'preview' })
  let left = PREVIEW_CHARACTERS
  for (const key in payload) {
    const text = beginningOf(payload[key], left)
    shown.append(element('span', { className: 'key' }, `${cut(key, 60)}: `), text, '  ')
    left -= key.length + text.length
    if (left <= 0) break
  }
  if (left === PREVIEW_CHARACTERS) shown.append('{ }')
  else if (left <= 0) shown.append('…')
  return shown
}

const PREVIEW_CHARACTERS = 240

/** Reads no further than is shown. */
function beginningOf(value, length) {
  let text = ''
  const add = (more) => {
    text += more
    return text.length < length
  }
  addBeginning(value, add)
  return cut(text, length)
}

/** `false` once there is enough. */
function addBeginning(value, add) {
  if (!isBranch(value)) return add(leafText(value, 120))
  const isArray = Array.isArray(value)
  if (!add(isArray ? '[' : '{')) return false
  let between = ''
  for (const key in value) {
    if (!add(isArray ? between : `${between}${key}: `)) return false
    if (!addBeginning(value[key], add)) return false
    between = ', '
  }
  return add(isArray ? ']' : '}')
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, Math.max(length, 1))}…` : text
}

/** Foldable, and built no further than it is unfolded. */
export function jsonView(value) {
  if (!isBranch(value)) return leaf(value)
  const list = element('ul', { className: 'json' })
  addMembers(list, value, Object.keys(value), 0)
  return list
}

function addMembers(list, value, keys, from) {
  const to = Math.min(keys.length, from + MEMBERS_MAX)
  for (const key of keys.slice(from, to)) list.append(element('li', {}, member(key, value[key])))
  if (to === keys.length) return
  const more = element('button', { type: 'button', className: 'link' }, `${keys.length - to} more`)
  const item = element('li', {}, more)
  more.addEventListener('click', () => {
    item.remove()
    addMembers(list, value, keys, to)
  })
  list.append(item)
}

function member(key, value) {
  const name = element('span', { className: 'key' }, `${key}:`)
  if (!isBranch(value)) return element('span', {}, name, leaf(value))
  const count = Object.keys(value).length
  const size = Array.isArray(value) ? `[${count}]` : `{${count}}`
  const summary = element('summary', {}, name, element('span', { className: 'quiet' }, size))
  const details = element('details', {}, summary)
  details.addEventListener('toggle', () => details.append(jsonView(value)), { once: true })
  return details
}

function leaf(value) {
  const kind = value instanceof NumberText ? 'number' : value === null ? 'null' : typeof value
  const shown = element('span', { className: `leaf ${kind}` }, leafText(value, CHARACTERS_MAX))
  if (typeof value !== 'string' || value.length <= CHARACTERS_MAX) return shown
  const left = `${value.length - CHARACTERS_MAX} more characters`
  const more = element('button', { type: 'button', className: 'link' }, left)
  more.addEventListener('click', () => {
    shown.textContent = JSON.stringify(value)
    more.remove()
  })
  return element('span', {}, shown, more)
}

function leafText(value, length) {
  if (typeof value !== 'string') return String(value)
  return value.length > length
    ? `${JSON.stringify(value.slice(0, length))}…`
    : JSON.stringify(value)
}

function isBranch(value) {
  return typeof value === 'object' && value !== null && !(value instanceof NumberText)
}
