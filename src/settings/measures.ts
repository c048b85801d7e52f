/** Of each unit in ms. In minutes people write `m` and `min`; a month is none. */
const MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  sec: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/** K, M and G count by 1024 unless somebody writes kB, MB and GB, as in the standard of the units (IEC 80000-13). */
const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  mb: 1_000 ** 2,
  gb: 1_000 ** 3,
  k: 1_024,
  m: 1_024 ** 2,
  g: 1_024 ** 3,
  kib: 1_024,
  mib: 1_024 ** 2,
  gib: 1_024 ** 3,
}

/** `500ms`, `45s`, `1h30m`, `7d`, `2w`, in ms. `null`: it is none, as without any unit. */
export function durationMs(text: string): number | null {
  if (!DURATION.test(text)) return null
  let ms = 0
  for (const [, number, unit] of text.matchAll(PART)) ms += Number(number) * (MS[unit!] ?? NaN)
  return Number.isNaN(ms) ? null : ms
}

/** `64KiB`, `10MB`, `1.5 GiB`, `512`, whatever their case. `null`: it is none. */
export function sizeBytes(text: string): number | null {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([a-z]{0,3})$/i.exec(text) ?? []
  if (number === undefined) return null
  const bytes = unit === '' ? 1 : BYTES[unit!.toLowerCase()]
  return bytes === undefined ? null : Number(number) * bytes
}

/** One part for each unit at most; longer texts are none, so that looking at one takes no time. */
const DURATION = /^(?:\d{1,15}(?:\.\d{1,9})?[a-z]{1,3}){1,6}$/
const PART = /(\d+(?:\.\d+)?)([a-z]+)/gy
