export interface Series {
  readonly name: string
  readonly points: readonly (readonly [count: number, value: number])[]
}

export interface Panel {
  readonly title: string
  readonly series: readonly Series[]
}

const WIDTH = 420
const HEIGHT = 300
const LEFT = 50
const TOP = 40
const COLOURS = ['#1f6feb', '#2da44e', '#bf3989']

/** Panels side by side as an SVG document: powers of ten to the right, values from 0 upwards. */
export function plot(unit: string, panels: readonly Panel[]): string {
  const drawn = panels.map(
    (panel, i) => `<g transform="translate(${i * WIDTH})">${draw(unit, panel)}</g>`,
  )
  const [width, height] = [WIDTH * panels.length, HEIGHT + 60]
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">\n` +
    `<rect width="${width}" height="${height}" fill="#fff"/>\n${drawn.join('\n')}\n</svg>\n`
  )
}

function draw(unit: string, { title, series }: Panel): string {
  const all = series.flatMap(({ points }) => points)
  const decades = Math.max(1, ...all.map(([count]) => Math.log10(count)))
  const first = Math.min(...all.map(([count]) => Math.log10(count)))
  const most = Math.max(...all.map(([, value]) => value))
  const step = [1, 2, 5, 10, 20, 50, 100].find((each) => most / each <= 8) ?? most / 8
  const top = Math.ceil(most / step) * step
  const x = (count: number) =>
    LEFT + ((Math.log10(count) - first) / (decades - first)) * (WIDTH - LEFT - 30)
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP)
  const parts = [`<text x="${LEFT}" y="20" font-weight="bold">${title}: ${unit}</text>`]
  for (let value = 0; value <= top; value += step)
    parts.push(
      `<path d="M${LEFT} ${y(value).toFixed(1)}H${WIDTH - 30}" stroke="#ddd"/>`,
      `<text x="${LEFT - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value}</text>`,
    )
  for (const count of new Set(all.map(([each]) => each)))
    parts.push(
      `<text x="${x(count).toFixed(1)}" y="${HEIGHT + 18}" text-anchor="middle">${count.toLocaleString('en')}</text>`,
    )
  series.forEach(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length]!
    const path = points.map(([count, value]) => `${x(count).toFixed(1)},${y(value).toFixed(1)}`)
    parts.push(
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${LEFT + i * 120}" y="${HEIGHT + 44}" fill="${colour}">${name}</text>`,
    )
  })
  return parts.join('\n')
}
