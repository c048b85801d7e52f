/**
 * Node's HTTP. An `import` of it asks for each of its exports, `WebSocket` among them, and so loads undici: 40 ms of a start of which a
 * command that listens takes 120 (`test/cli/loaded-modules.test.ts`).
 */
export const {
  Agent: PlainAgent,
  createServer,
  request: plainRequest,
  STATUS_CODES,
} = process.getBuiltinModule('node:http')
