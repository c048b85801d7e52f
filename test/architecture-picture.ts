import { writeFileSync } from 'node:fs'

/** Which rooms each room imports. */
export type RoomImports = ReadonlyMap<string, ReadonlySet<string>>

const BOX_WIDTH = 118
const BOX_HEIGHT = 34
const COLUMN = 136
const ROW = 82
const MARGIN = 20

/**
 * The rooms as an SVG document. Each stands above all that it imports; a line goes to each that it imports directly and not by way
 * of another one, so that the picture has no more lines than it needs. The same imports always give the same picture.
 */
export function architecturePicture(imports: RoomImports): string {
  const rows = rowsOf(imports)
  const width = Math.max(...rows.map((row) => row.length)) * COLUMN + 2 * MARGIN
  const height = rows.length * ROW - (ROW - BOX_HEIGHT) + 2 * MARGIN
  const spots = new Map<string, { x: number; y: number }>()
  for (const [level, row] of rows.entries())
    for (const [at, room] of row.entries())
      spots.set(room, {
        x: width / 2 + (at - (row.length - 1) / 2) * COLUMN,
        y: height - MARGIN - BOX_HEIGHT - level * ROW,
      })
  const lines = [...imports].flatMap(([room, targets]) =>
    [...targets]
      .filter((target) => !isReachedOtherwise(room, target, imports))
      .map((target) => lineBetween(spots.get(room)!, spots.get(target)!)),
  )
  const boxes = [...spots].map(([room, spot]) => box(room, spot))
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">\n` +
    `<rect width="${width}" height="${height}" fill="#fff"/>\n` +
    `${[...lines, ...boxes].join('\n')}\n</svg>\n`
  )
}

/** From the bottom: first the rooms that import none. */
function rowsOf(imports: RoomImports): string[][] {
  const levels = new Map<string, number>()
  const levelOf = (room: string): number => {
    const known = levels.get(room)
    if (known !== undefined) return known
    levels.set(room, NaN) // a circle would stay so, and be drawn nowhere
    const below = [...(imports.get(room) ?? [])].map(levelOf)
    const level = Math.max(-1, ...below) + 1
    levels.set(room, level)
    return level
  }
  for (const room of imports.keys()) levelOf(room)
  const rows: string[][] = []
  for (const room of [...imports.keys()].toSorted()) (rows[levelOf(room)] ??= []).push(room)
  return rows
}

function isReachedOtherwise(from: string, to: string, imports: RoomImports): boolean {
  const seen = new Set([...imports.get(from)!].filter((room) => room !== to))
  for (const room of seen) for (const next of imports.get(room) ?? []) seen.add(next)
  return seen.has(to)
}

function lineBetween(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const [top, bottom] = [from.y + BOX_HEIGHT, to.y]
  const middle = (top + bottom) / 2
  return `<path d="M${from.x} ${top}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${bottom}" fill="none" stroke="#8b949e"/>`
}

function box(room: string, { x, y }: { x: number; y: number }): string {
  return (
    `<rect x="${x - BOX_WIDTH / 2}" y="${y}" width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="5" fill="#ddf4ff" stroke="#1f6feb"/>` +
    `<text x="${x}" y="${y + 22}" text-anchor="middle">${room}</text>`
  )
}

/** Which rooms import which, of all imports of files between them. */
export function roomImports(edges: Iterable<readonly [from: string, to: string]>): RoomImports {
  const imports = new Map<string, Set<string>>()
  const importsOf = (room: string) => {
    const known = imports.get(room) ?? new Set()
    imports.set(room, known)
    return known
  }
  for (const [from, to] of edges) {
    importsOf(to)
    if (from !== to) importsOf(from).add(to)
  }
  return imports
}

export function writePicture(file: URL, imports: RoomImports): void {
  writeFileSync(file, architecturePicture(imports))
}
