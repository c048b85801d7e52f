import { waitContract } from './wait-contract.ts'
import { TLS } from '../ways.ts'

waitContract(TLS)
