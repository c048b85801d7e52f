import { PROXIES } from '../proxy.ts'
import { wayThrough } from '../way-proxies.ts'
import { formContract } from './form-contract.ts'

formContract(wayThrough(PROXIES.caddy))
