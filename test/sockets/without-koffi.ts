import { registerHooks } from 'node:module'

/** Imported before anything else: a machine on which the library that calls the kernel is not there. */
registerHooks({
  resolve(name, context, next) {
    if (name === 'koffi') throw new Error('Cannot find package koffi')
    return next(name, context)
  },
})
