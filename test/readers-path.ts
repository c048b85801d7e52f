import { delimiter } from 'node:path'

/** Where whoever reads the documentation finds programs: what runs these tests has put some of its own before those of the machine. */
export const READERS_PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((each) => !each.includes('node_modules') && !each.includes('node-gyp'))
  .join(delimiter)
