/**
 * What the page shows, which is what its address says: the topics in the path, the rest behind the question mark, in the
 * words a stream's URL has them. So the address of the page, given to curl, is the same stream.
 */

const KEPT = ['since', 'until', 'count', 'cursor', 'where']

/** `groups`: any of them, all topics of a group. `without`: topics that must not be on an event. */
export function viewOf({ pathname, search }) {
  const query = new URLSearchParams(search)
  const path = isOwn(pathname) ? '/' : decoded(pathname)
  const groups = path
    .split(',')
    .map((group) => [...new Set(group.split('/').filter((topic) => topic !== ''))])
    .filter((group, _index, all) => group.length > 0 || all.length === 1)
  const without = (query.get('without') ?? '').split(',').filter((topic) => topic !== '')
  const view = { groups, without: [...new Set(without)] }
  for (const name of KEPT) view[name] = query.get(name) ?? ''
  return view
}

/** Path and query of a view: of its page, and of its stream. */
export function targetOf(view) {
  const query = new URLSearchParams()
  if (view.without.length > 0) query.set('without', view.without.join(','))
  for (const name of KEPT) if (view[name] !== '') query.set(name, view[name])
  const search = query.toString()
  return pathOf(view) + (search === '' ? '' : `?${search}`)
}

export function pathOf({ groups }) {
  return `/${groups.map((group) => group.map(encoded).join('/')).join(',')}`
}

/** Whether a subscription's path can have this topic at any place: a browser takes dots away, a comma means "or". */
export function isAskable(topic) {
  return !['', '.', '..', '-', 'private'].includes(topic) && !topic.includes(',')
}

export function isEverything({ groups }) {
  return groups.some((group) => group.length === 0)
}

export function narrowed(view, topic) {
  const groups = view.groups.map((group) => (group.includes(topic) ? group : [...group, topic]))
  return { ...view, groups, without: view.without.filter((each) => each !== topic) }
}

export function widened(view, topic) {
  const isThere = isEverything(view) || view.groups.some((group) => String(group) === topic)
  const groups = isThere ? view.groups : [...view.groups, [topic]]
  return { ...view, groups, without: view.without.filter((each) => each !== topic) }
}

export function excluding(view, topic) {
  const groups = asked(view.groups.map((group) => group.filter((each) => each !== topic)))
  return { ...view, groups, without: [...new Set([...view.without, topic])] }
}

/** `index`: only the group there loses the topic. */
export function dropped(view, index, topic) {
  const groups = view.groups.with(
    index,
    view.groups[index].filter((each) => each !== topic),
  )
  return { ...view, groups: asked(groups) }
}

/** A group that has lost all its topics asks for nothing; where none is left, everything is asked for. */
function asked(groups) {
  const left = groups.filter((group) => group.length > 0)
  return left.length > 0 ? left : [[]]
}

export function titleOf({ groups }) {
  return groups.map((group) => group.join(' + ') || 'All topics').join(' or ')
}

function isOwn(pathname) {
  return /^\/+(?:-|%2d)(?:\/|$)/i.test(pathname)
}

function decoded(pathname) {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return pathname
  }
}

function encoded(topic) {
  return encodeURIComponent(topic.toWellFormed())
}
