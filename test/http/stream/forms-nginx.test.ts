import { formContract } from './form-contract.ts'
import { NGINX } from '../ways.ts'

formContract(NGINX)
