import type { Wire } from './settings.ts'

export type { Wire }

/** What says of data whether it is an image, as its publisher wrote it: `isImage`, or a content type. */
export type Mark = boolean | string

/** Different ones, in the order of the wire. Many are a typed array: to copy them one by one takes twenty times as long. */
export type Entitlements = readonly number[] | Int32Array

/** More of them than this are a typed array. */
export const LISTED_ENTITLEMENTS_MAX = 1_000

export interface Packet {
  /** `null`: none. */
  readonly entitlements: Entitlements | null
  /** `null`: none, or none but an empty one, which are the same on the wire. */
  readonly data: Uint8Array | null
}

/** 16 bytes as the wire has them, in hex. */
export type ClientId = string

/** What all data has. `packets`: `null`: none, or an empty list, which are the same on the wire. */
export interface Data {
  readonly feed: string
  readonly topic: string
  readonly mark: Mark
  readonly packets: readonly Packet[] | null
}

export interface Sender {
  readonly user: string
  readonly host: string
}

/** What a client sends. */
export type ClientMessage =
  /** Comes first, and once, where somebody asks for it. A token is a password without a user. */
  | { readonly type: 'login'; readonly user: string; readonly password: string }
  | ({ readonly type: 'multicast' } & Data)
  | ({ readonly type: 'unicast'; readonly clientId: ClientId } & Data)
  | { readonly type: 'notification-request'; readonly feed: string; readonly isAdd: boolean }
  | {
      readonly type: 'subscription-request'
      readonly feed: string
      readonly topic: string
      readonly isAdd: boolean
    }
  | {
      readonly type: 'authorization-response'
      readonly clientId: ClientId
      readonly feed: string
      readonly topic: string
      readonly isRequired: boolean
      readonly entitlements: Entitlements | null
    }
  /** One that only servers send. */
  | { readonly type: 'server-only'; readonly code: number }

/** What a server sends. */
export type ServerMessage =
  | ({ readonly type: 'multicast' } & Data & Sender)
  | ({ readonly type: 'unicast'; readonly clientId: ClientId } & Data & Sender)
  | ({
      readonly type: 'subscription'
      readonly clientId: ClientId
      readonly feed: string
      readonly topic: string
      readonly isAdd: boolean
    } & Sender)
  | ({
      readonly type: 'authorization-request'
      readonly clientId: ClientId
      readonly feed: string
      readonly topic: string
    } & Sender)

/** The bytes are no message of this protocol, or one that is too large. Nothing behind them can be read. */
export class ProtocolError extends Error {}
