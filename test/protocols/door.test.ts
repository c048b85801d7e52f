import { doorContract } from '../contracts/door.ts'
import { DOORS, startAllDoors } from './door-clients.ts'

for (const door of DOORS) doorContract(door, DOORS, startAllDoors)
