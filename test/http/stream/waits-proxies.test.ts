import { WAYS_THROUGH_PROXIES } from '../way-proxies.ts'
import { waitContract } from './wait-contract.ts'

for (const way of WAYS_THROUGH_PROXIES) waitContract(way)
