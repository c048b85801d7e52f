import { waitContract } from './wait-contract.ts'
import { NGINX } from '../ways.ts'

waitContract(NGINX)
