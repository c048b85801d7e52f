import type { Case } from './case.ts'
import { bodyCases, deepCases } from './cases/bodies.ts'
import { originCases } from './cases/origins.ts'
import { publishingPathCases, subscribingPathCases } from './cases/paths.ts'
import {
  credentialCases,
  outsiderCases,
  privateSubscriptionCases,
  reloadCases,
  secureTopicCases,
} from './cases/private.ts'
import {
  connectionCases,
  cutOffCases,
  expectCases,
  malformedCases,
  requestCases,
} from './cases/requests.ts'
import { sizeCases } from './cases/sizes.ts'
import { backlogCases, streamCases } from './cases/streams.ts'

export const cases: readonly Case[] = [
  ...requestCases,
  ...bodyCases,
  ...deepCases,
  ...sizeCases,
  ...expectCases,
  ...connectionCases,
  ...cutOffCases,
  ...malformedCases,
  ...originCases,
  ...publishingPathCases,
  ...subscribingPathCases,
  ...credentialCases,
  ...privateSubscriptionCases,
  ...secureTopicCases,
  ...outsiderCases,
  ...reloadCases,
  ...streamCases,
  ...backlogCases,
]
