import { hash } from 'node:crypto'

/**
 * Equal for equal texts, and short however long they are: keys are kept as long as somebody has what they stand for, and a
 * peer may ask for 4,000 groups of topics, which are 100 KB.
 */
export function shortKey(text: string): string {
  return text.length <= LENGTH_MAX ? text : hash('sha256', text, 'base64')
}

/** No text up to this length is taken for a hash, as those have 44 characters and no JSON, which all of our keys begin with. */
const LENGTH_MAX = 256
