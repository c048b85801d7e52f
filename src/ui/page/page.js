import { byId, element } from './element.js'
import { EventList } from './event-list.js'
import { EventStream } from './event-stream.js'
import { PublishForm } from './publish-form.js'
import { RatePlot } from './rate-plot.js'
import { TopicsSeen } from './topics-seen.js'
import { Visitor } from './visitor.js'
import {
  dropped,
  excluding,
  isAskable,
  isEverything,
  narrowed,
  pathOf,
  targetOf,
  titleOf,
  viewOf,
  widened,
} from './view.js'

let view = viewOf(location)
let stream = null
let state = 'connecting'
let isPaused = false

const visitor = new Visitor()
const plot = new RatePlot()
const list = new EventList({ onTopic: openMenu, onChange: showCounts })
const topics = new TopicsSeen((topic) => list.topicButton(topic))
const publishForm = new PublishForm(visitor)

/** Begins anew with what `view` says. */
function restart() {
  stream?.stop()
  list.clear()
  topics.clear()
  plot.clear()
  pause(false)
  showView()
  problem('')
  setState('connecting')
  const { count } = view
  stream = new EventStream({ target: targetOf(view), count, headers: visitor.headers, tell })
  publishForm.offer(pathOf({ groups: view.groups.slice(0, 1) }))
}

/** Goes to another view, whose address becomes the page's. */
function show(changed) {
  view = { ...changed, cursor: '' }
  history.pushState(null, '', targetOf(view))
  restart()
}

function tell(told) {
  switch (told.type) {
    case 'event':
      list.add(told.event, told.line)
      topics.count(told.event.pubsub_topics)
      plot.count(told.event.pubsub_timestamp * 1000)
      return
    case 'time':
      return plot.setTime(told.ms)
    case 'opened':
      if (state === 'reconnecting')
        list.note('Connected again. What was missed meanwhile follows.', 'good')
      return setState(view.since === '' && view.cursor === '' ? 'live' : 'replaying')
    case 'live':
      if (state === 'replaying') setState('live')
      return
    case 'gap':
      return list.note(`Some events are missing here: ${GAPS[told.reason] ?? told.reason}.`, 'bad')
    case 'reconnecting':
      if (state !== 'reconnecting') list.note(`Connection lost: ${told.why}.`, 'bad')
      return setState('reconnecting', told.pauseMs)
    case 'finished':
      return setState('finished')
    case 'refused':
      problem(told.text)
      setState('refused')
      if (told.status === 401) askWho(told.text)
  }
}

const GAPS = {
  expired: 'they are no longer kept',
  foreign: 'the server’s backlog is another one now',
  damaged: 'a part of the backlog is damaged',
}

// What is shown, in words

const STATES = {
  connecting: 'Connecting',
  live: 'Live',
  replaying: 'Replaying',
  reconnecting: 'Reconnecting',
  finished: 'Complete',
  refused: 'Refused',
}

function setState(to, pauseMs = 0) {
  state = to
  byId('state').dataset.state = to
  byId('state-text').textContent = STATES[to]
  byId('state-more').textContent = pauseMs >= 1_000 ? `in ${Math.round(pauseMs / 1_000)} s` : ''
  showCounts()
}

function showCounts() {
  const { total, shown, missed, isHeld } = list
  const older = total > shown && !isHeld ? `, the newest ${shown.toLocaleString()} shown` : ''
  byId('count').textContent = total === 0 ? '' : `${plural(total, 'event')}${older}`
  byId('waiting').hidden = !isPaused
  byId('waiting').textContent =
    missed === 0 ? 'Paused' : `Paused: show ${plural(missed, 'new event')}`
  byId('empty').hidden = shown > 0
  if (shown === 0) showEmpty()
}

function showEmpty() {
  const [title, text, code = ''] = {
    connecting: ['Connecting', 'Asking the server for the stream.'],
    reconnecting: [
      'The server cannot be reached',
      'The page tries again by itself and misses nothing.',
    ],
    replaying: ['Looking through the backlog', 'Events of that time appear here.'],
    live: [
      'Waiting for events',
      'Whatever is published to these topics appears here. From a shell:',
      example(),
    ],
    finished: ['Nothing there', 'The stream is complete, and no event belonged to it.'],
    refused: ['No stream', 'Change what is asked for, or log in.'],
  }[state]
  byId('empty-title').textContent = title
  byId('empty-text').textContent = text
  byId('empty-code').textContent = code
  byId('empty-code').hidden = code === ''
}

function example() {
  const path = isEverything(view) ? '/fruits/apples' : pathOf({ groups: view.groups.slice(0, 1) })
  return `curl -XPUT -d '{"text": "Hello"}' ${quoted(location.origin + path)}`
}

function plural(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? '' : 's'}`
}

function problem(text) {
  byId('problem').textContent = text
  byId('problem').hidden = text === ''
}

function showView() {
  const title = titleOf(view)
  document.title = `${title} – pubsubd`
  byId('title').textContent = title
  byId('where').value = view.where
  showSince()
  const chips = []
  view.groups.forEach((group, index) => {
    if (index > 0) chips.push(element('span', { className: 'joint' }, 'or'))
    group.forEach((topic, place) => {
      if (place > 0) chips.push(element('span', { className: 'joint' }, '+'))
      chips.push(chip(topic, '', () => show(dropped(view, index, topic))))
    })
  })
  for (const topic of view.without) {
    const rest = view.without.filter((each) => each !== topic)
    chips.push(element('span', { className: 'joint' }, 'not'))
    chips.push(chip(topic, 'excluded', () => show({ ...view, without: rest })))
  }
  byId('chips').replaceChildren(...chips)
}

function chip(topic, kind, remove) {
  const cross = element('span', { ariaHidden: 'true' }, '×')
  const button = element(
    'button',
    { type: 'button', className: `chip ${kind}` },
    element('bdi', {}, topic),
    cross,
  )
  button.setAttribute('aria-label', kind === '' ? `Remove ${topic}` : `Remove ${kind} ${topic}`)
  button.addEventListener('click', remove)
  return button
}

function showSince() {
  const select = byId('since')
  const isListed = [...select.options].some(({ value }) => value === view.since)
  select.value = isListed ? view.since : 'time'
  byId('time-field').hidden = isListed
  const at = new Date(
    /^\d/.test(view.since) && !isNaN(view.since) ? view.since * 1_000 : view.since,
  )
  if (!isListed && !isNaN(at)) byId('time').value = localTime(at)
}

/** As the field for a time has it. */
function localTime(at) {
  return new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

// What can be done

byId('filter').addEventListener('submit', (event) => {
  event.preventDefault()
  addTopic()
})
byId('where').addEventListener('change', () => show({ ...view, where: byId('where').value.trim() }))
byId('since').addEventListener('change', () => {
  const { value } = byId('since')
  byId('time-field').hidden = value !== 'time'
  if (value === 'time') byId('time').focus()
  else show({ ...view, since: value })
})
byId('time').addEventListener('change', () => {
  const at = new Date(byId('time').value)
  if (!isNaN(at)) show({ ...view, since: at.toISOString() })
})

/** `a/b` asks for both at once; a comma in front or between widens, as in a path. */
function addTopic() {
  const field = byId('add-topic')
  const text = field.value.trim()
  field.value = ''
  if (text === '') return
  const added = viewOf({ pathname: `/${text.replace(/^,/, '')}`, search: '' })
  if (text.startsWith(',') || added.groups.length > 1)
    return show({
      ...view,
      groups: isEverything(view) ? added.groups : [...view.groups, ...added.groups],
    })
  show(added.groups[0].reduce(narrowed, view))
}

byId('pause').addEventListener('click', () => pause(!isPaused))
byId('waiting').addEventListener('click', () => pause(false))

function pause(isWanted) {
  isPaused = isWanted
  list.hold(isWanted)
  byId('pause').textContent = isWanted ? 'Resume' : 'Pause'
}

let menuTopic = ''

function openMenu(topic, button) {
  menuTopic = topic
  const menu = byId('topic-menu')
  const canAsk = isAskable(topic)
  byId('narrow').disabled = !canAsk
  byId('widen').disabled = !canAsk || isEverything(view)
  byId('exclude').disabled = topic === '' || topic.includes(',')
  // What one is about to click must not move away.
  if (!isPaused) list.hold(true)
  const { left, bottom } = button.getBoundingClientRect()
  menu.showPopover({ source: button })
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8))}px`
  menu.style.top = `${Math.max(8, Math.min(bottom + 4, innerHeight - menu.offsetHeight - 8))}px`
  menu.querySelector('button:enabled')?.focus()
}

byId('topic-menu').addEventListener('toggle', ({ newState }) => {
  if (newState === 'closed' && !isPaused) list.hold(false)
})

for (const [id, change] of Object.entries({ narrow: narrowed, widen: widened, exclude: excluding }))
  byId(id).addEventListener('click', () => {
    byId('topic-menu').hidePopover()
    show(change(view, menuTopic))
    byId('events').focus({ preventScroll: true })
  })

byId('share').addEventListener(
  'click',
  () => void copy(location.origin + targetOf(view), 'Link copied'),
)
byId('curl').addEventListener('click', () => {
  const user = visitor.user === '' ? '' : `-u ${quoted(visitor.user)} `
  void copy(`curl -N ${user}${quoted(location.origin + targetOf(view))}`, 'Command copied')
})

function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Without TLS a browser may keep the clipboard to itself. */
async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text)
    toast(done)
  } catch {
    byId('copy-text').value = text
    byId('copy-dialog').showModal()
    byId('copy-text').select()
  }
}

byId('copy-done').addEventListener('click', () => byId('copy-dialog').close())

let toastTimer = 0

function toast(text) {
  byId('toast').textContent = text
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => (byId('toast').textContent = ''), 2_500)
}

byId('log-in').addEventListener('click', () => {
  if (visitor.user === '') return askWho('')
  visitor.logOut()
  showUser()
  restart()
})

function askWho(text) {
  byId('log-in-problem').textContent = text
  byId('log-in-problem').hidden = text === ''
  if (!byId('log-in-dialog').open) byId('log-in-dialog').showModal()
}

byId('log-in-cancel').addEventListener('click', () => byId('log-in-dialog').close())
byId('log-in-dialog').addEventListener('close', () => (byId('password').value = ''))
byId('log-in-form').addEventListener('submit', (event) => {
  event.preventDefault()
  void logIn()
})

async function logIn() {
  const failure = await visitor
    .logIn(byId('user').value, byId('password').value)
    .catch(() => 'no answer: the server cannot be reached')
  if (failure !== false) return askWho(failure)
  byId('log-in-dialog').close()
  showUser()
  restart()
}

function showUser() {
  byId('log-in').textContent = visitor.user === '' ? 'Log in' : `Log out ${visitor.user}`
}

addEventListener('popstate', () => {
  view = viewOf(location)
  restart()
})

if (matchMedia('(max-width: 60rem)').matches)
  for (const id of ['topics-panel', 'publish-panel']) byId(id).open = false

restart()
