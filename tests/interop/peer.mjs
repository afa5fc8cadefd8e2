// A js-libp2p peer for the tests. It prints its address as the first line, then obeys one JSON
// command per line of its standard input and answers each with one JSON line.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

if (Promise.withResolvers === undefined) { // Node 20
  Promise.withResolvers = () => {
    const parts = {}
    parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }))
    return parts
  }
}

const { createLibp2p } = await import('libp2p')
const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { identify } = await import('@libp2p/identify')
const { ping } = await import('@libp2p/ping')
const { tcp } = await import('@libp2p/tcp')
const { multiaddr } = await import('@multiformats/multiaddr')

const ECHO = '/interop/echo/1' // sends back what comes, until the end
const SINK = '/interop/sink/1' // takes everything, answers with its count and SHA-256 as JSON
const SOURCE = '/interop/source/1' // eight bytes say how much to send
const PIECE = 256 * 1024

// Not stream.onDrain(): it keeps its first promise for ever, so it waits only once.
async function sendAll (stream, data) {
  stream.send(data)
  while (stream.writableNeedsDrain) {
    await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function readAll (stream, each = () => {}) {
  for await (const data of stream) await each(data.subarray())
}

async function digest (stream) {
  const hash = createHash('sha256')
  let bytes = 0
  await readAll(stream, (data) => { hash.update(data); bytes += data.length })
  return { bytes, sha256: hash.digest('hex') }
}

function pattern (length) {
  const data = new Uint8Array(length)
  for (let i = 0; i < length; i++) data[i] = (i * 31 + (i >> 8)) & 0xff
  return data
}

async function pour (stream, total) {
  const hash = createHash('sha256')
  const piece = pattern(PIECE)
  for (let left = total; left > 0; left -= PIECE) {
    const data = piece.subarray(0, Math.min(left, PIECE))
    hash.update(data)
    await sendAll(stream, data)
  }
  return { bytes: total, sha256: hash.digest('hex') }
}

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() }
})
const many = { maxInboundStreams: 200, maxOutboundStreams: 200 }
await node.handle(ECHO, async (stream) => {
  await readAll(stream, async (data) => await sendAll(stream, data))
  await stream.close()
}, many)
await node.handle(SINK, async (stream) => {
  const answer = await digest(stream)
  await sendAll(stream, new TextEncoder().encode(JSON.stringify(answer)))
  await stream.close()
}, many)
await node.handle(SOURCE, async (stream) => {
  for await (const data of stream) {
    const wish = Uint8Array.from(data.subarray()) // a copy: its buffer begins with it
    await pour(stream, Number(new DataView(wish.buffer).getBigUint64(0)))
    break
  }
  await stream.close()
}, many)

const open = async (address, protocol) => await node.dialProtocol(multiaddr(address), protocol, many)

const commands = {
  ping: async ({ address }) => ({ ms: await node.services.ping.ping(multiaddr(address)) }),
  identify: async ({ address }) => {
    const connection = await node.dial(multiaddr(address))
    const { agentVersion, protocols } = await node.services.identify.identify(connection)
    return { agentVersion, protocols }
  },
  echo: async ({ address, streams, bytes }) => {
    const one = async () => {
      const stream = await open(address, ECHO)
      const data = pattern(bytes)
      const back = digest(stream)
      await sendAll(stream, data)
      await stream.close()
      const { sha256 } = await back
      return sha256 === createHash('sha256').update(data).digest('hex')
    }
    const same = await Promise.all(Array.from({ length: streams }, one))
    return { same: same.filter(Boolean).length }
  },
  push: async ({ address, bytes }) => {
    const stream = await open(address, SINK)
    const answer = []
    const reading = readAll(stream, (data) => answer.push(data))
    const sent = await pour(stream, bytes)
    await stream.close()
    await reading
    return { sent, answer: JSON.parse(Buffer.concat(answer).toString()) }
  },
  pull: async ({ address, bytes }) => {
    const stream = await open(address, SOURCE)
    const wish = new DataView(new ArrayBuffer(8))
    wish.setBigUint64(0, BigInt(bytes))
    const got = digest(stream)
    await sendAll(stream, new Uint8Array(wish.buffer))
    return await got
  },
  peers: async () => ({ peers: node.getPeers().map(String) })
}

console.log(node.getMultiaddrs()[0].toString())
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...wishes } = JSON.parse(line)
  try {
    console.log(JSON.stringify(await commands[command](wishes)))
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.name}: ${error.message}` }))
  }
}
await node.stop()
process.exit(0)
