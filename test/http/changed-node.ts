import process from 'node:process'

/** Imported before anything else: a Node whose insides are not those that the direct way to the kernel needs. */
Reflect.set(process, 'binding', () => {
  throw new Error('No such binding')
})
