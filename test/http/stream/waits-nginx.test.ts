import { waitContract } from './wait-contract.ts'
import { NGINX } from '../way-nginx.ts'

waitContract(NGINX)
