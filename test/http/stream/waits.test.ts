import { waitContract } from './wait-contract.ts'
import { PLAIN } from '../ways.ts'

waitContract(PLAIN)
