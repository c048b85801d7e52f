import { formContract } from './form-contract.ts'
import { TLS } from '../ways.ts'

formContract(TLS)
