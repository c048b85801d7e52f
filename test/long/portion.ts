/** Of what a long test does: 1 is what a release needs, less shows that it works (`npm run test:long -- --portion 0.01`). */
const PORTION = Number(process.env['PUBSUBD_TEST_PORTION'] ?? 1)

/** So many of these, at least one. */
export function portionOf(count: number): number {
  return Math.max(1, Math.round(count * PORTION))
}
