// The negentropy side of nostr-tools (module nip77), driven by lines of JSON.
import { createInterface } from 'node:readline'
import { Negentropy, NegentropyStorageVector } from './node_modules/nostr-tools/lib/esm/nip77.js' // not among its exports

let session

const commands = {
  open({ items, limit }) {
    const storage = new NegentropyStorageVector()
    for (const [period, id] of items) storage.insert(period, id)
    storage.seal()
    session = new Negentropy(storage, limit)
    return {}
  },
  initiate: () => ({ message: session.initiate() }),
  reconcile({ message }) {
    const have = []
    const need = []
    const next = session.reconcile(message, id => have.push(id), id => need.push(id))
    return { message: next, have, need }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...wishes } = JSON.parse(line)
  console.log(JSON.stringify(commands[command](wishes)))
}
