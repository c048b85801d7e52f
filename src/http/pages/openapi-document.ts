import Fastify, { type FastifyServerOptions, type RouteOptions } from 'fastify'
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import { openapiOfTopics } from './openapi.ts'

/** What a route says of itself. */
export type DescribedRoute = Pick<RouteOptions, 'method' | 'url' | 'schema'>

/**
 * `/-/openapi.json`, made of our routes when somebody asks for the first time: what makes it is loaded once the server listens, as it would take
 * a tenth of the start.
 */
export async function openapiDocument(
  routes: readonly DescribedRoute[],
  version: string,
): Promise<object> {
  const { swagger } = await loadSwagger()
  // A server that never listens: the library looks at routes as they are registered.
  const app = Fastify({ exposeHeadRoutes: false, schemaController: DESCRIBING })
  await app.register(swagger, {
    openapi: openapiOfTopics(version) as FastifyDynamicSwaggerOptions['openapi'] & object,
  })
  for (const { method, url, schema } of routes)
    app.route({ method, url, ...(schema && { schema }), handler: () => {} })
  await app.ready()
  return app.swagger()
}

export async function loadSwagger() {
  const { default: swagger } = await import('@fastify/swagger')
  return { swagger }
}

/** Nothing is asked of these routes. */
const DESCRIBING = {
  compilersFactory: {
    buildValidator: () => () => () => true,
    buildSerializer: () => () => JSON.stringify,
  },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>
