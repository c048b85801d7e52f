import { formContract } from './form-contract.ts'
import { PLAIN } from '../ways.ts'

formContract(PLAIN)
