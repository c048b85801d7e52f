import { formContract } from './form-contract.ts'
import { NGINX } from '../way-nginx.ts'

formContract(NGINX)
