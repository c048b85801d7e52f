/** The settings the cases run under. Both servers read the same text; only the port differs. */
const configs = {
  open: `  max_payload_size: 1000
clients:
  payloaders: [127.0.0.1/24]
  oldschoolers: [svnwcsub, Old School]
  secure_topics: [guarded, vault]
`,
  backlog: `  backlog:
    size: 5
clients:
  payloaders: [127.0.0.1/24]
  oldschoolers: [svnwcsub]
`,
  // Nobody who connects from this machine is a payloader.
  outsiders: `  max_payload_size: 1000
clients:
  payloaders: [10.0.0.0/8, '2001:db8::/32']
  secure_topics: [guarded, vault]
`,
  // The defaults of everything that may be left out.
  bare: `clients: {payloaders: [127.0.0.1]}
`,
  nobody: `clients: {}
`,
  securedPrivate: `clients:
  payloaders: [127.0.0.1]
  secure_topics: [private]
`,
  securedNumber: `clients:
  payloaders: [127.0.0.1]
  secure_topics: [2024]
`,
  nulls: `clients:
  payloaders: [127.0.0.1]
  oldschoolers: ~
  secure_topics: ~
  ldap: ~
`,
  netmask: `clients: {payloaders: [127.0.0.0/255.255.255.0]}
`,
  hostBits: `clients: {payloaders: [127.0.0.77/25]}
`,
  everyIpv4: `clients: {payloaders: [0.0.0.0/0]}
`,
  everyIpv6: `clients: {payloaders: ['::/0']}
`,
  neighbour: `clients: {payloaders: [127.0.0.2, 127.0.1.0/24]}
`,
} as const

export type ConfigName = keyof typeof configs

export function configText(name: ConfigName, port: number): string {
  return `server:\n  bind: 127.0.0.1\n  port: ${port}\n${configs[name]}`
}

export const ACL = `
alice: {password: wonderland, acl: {fruit: [fruits]}}
bob: {password: 'b:u:i:l:d', acl: {apples: [fruits, apples], post: [mail]}}
root: {password: toor, acl: {everything: []}}
carol: {password: none, acl: {}}
dave: {password: noacl}
erin: {password: broken, acl: [fruits]}
frank: {password: broken, acl: {fruit: fruits}}
grace: {password: halfbroken, acl: {fruit: [fruits], other: mail}}
heidi: {acl: {fruit: [fruits]}}
ivan: {password: '', acl: {fruit: [fruits]}}
judy: {password: ~, acl: {fruit: [fruits]}}
mallory: {password: 007, acl: {fruit: [fruits]}}
niaj: {password: years, acl: {old: [2024]}}
"": {password: nameless, acl: {fruit: [fruits]}}
"zoë": {password: "pässwörd", acl: {fruit: [fruits]}}
guard: {password: keys, topics: [guarded]}
warden: {password: keys, acl: {all: []}, topics: [guarded, vault, private]}
drunk: {password: keys, acl: [fruits], topics: [guarded]}
oscar: {password: anchor, acl: &fruit {fruit: [fruits]}}
peggy: {password: alias, acl: *fruit}
quentin: &quentin {password: merged, acl: *fruit}
rupert: {<<: *quentin, acl: {post: [mail]}}
sybil: {password: first, acl: {everything: []}}
sybil: {password: last, acl: {fruit: [fruits]}}
victor: {password: 0x1F, acl: {fruit: [fruits]}}
walter:
  password: block
  acl:
    fruit:
    - fruits
  unknown: 1
`
