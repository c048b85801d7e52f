import { existsSync, rmSync, symlinkSync } from 'node:fs'

// npm up to 10, which is Node 20's, links no `node` where one of the packages that bring it is for another processor: it
// takes the link away with that package. Without the link npm would run our scripts by the outer Node.
const link = new URL('node_modules/.bin/node', import.meta.url)
const target = `../node-${process.platform}-${process.arch}/bin/node`
if (!existsSync(link) && existsSync(new URL(target, link))) {
  rmSync(link, { force: true }) // one that leads nowhere
  symlinkSync(target, link)
}
