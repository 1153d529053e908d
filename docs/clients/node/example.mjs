// A client of Détente: one function for each of eight things that every client needs.
//
// Détente evaluates proposals in a recorded negotiation, the scenario. A red line is a condition that a party sets for
// any deal. An evaluation has a finding for each red line that the proposal crosses or may cross, a stance for each
// party, and a verdict on the whole proposal.
//
// Start a server, then: node example.mjs [HOST:PORT]

import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import protoLoader from '@grpc/proto-loader'

// The loader reads the schema at run time, without generated code. With these options, names are in camelCase, enum
// values are names, lists are never undefined, each oneof has a property that names the field that is set, and an
// int64 is a number. Quantities beyond 2^53 would need `longs: String`.
const schema = protoLoader.loadSync(['detente/v1/red_line_service.proto', 'google/rpc/error_details.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
  defaults: true,
  enums: String,
  longs: Number,
  oneofs: true,
})
const { RedLineService } = grpc.loadPackageDefinition(schema).detente.v1

const SCENARIO = 'scenarios/ukraine-2025'

// In milliseconds. Without a deadline, a call to a server that hangs waits for ever. Evaluations take microseconds; two
// seconds leave time for the network.
const TIMEOUT = 2_000

// Retries are safe, because every method only reads. UNAVAILABLE means that no server answered, or that the server is
// shutting down; a retry after any other code would fail again. round_robin spreads the calls over all addresses of the
// name; the default policy uses only the first address that answers.
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: 'detente.v1.RedLineService' }],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.1s',
        maxBackoff: '2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
}

async function main() {
  const address = process.argv[2] ?? 'localhost:50051'
  // One client for the whole program: opening a connection takes time, and all calls can share it.
  const client = new RedLineService(address, grpc.credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
  })
  try {
    await connectWithRetries(client)
    await evaluateAReferenceProposal(client)
    await evaluateAnOwnProposal(client)
    await listInPages(client)
    await evaluateAStream(client)
    await readErrors(client)
    await runOutOfTime(client)
    await pinARevision(client)
  } finally {
    client.close()
  }
}

// Makes one call. Returns a promise of its response.
function call(client, method, request, { timeout = TIMEOUT, metadata = new grpc.Metadata() } = {}) {
  return new Promise((resolve, reject) => {
    client[method](request, metadata, { deadline: Date.now() + timeout }, (error, answer) => {
      if (error) reject(error)
      else resolve(answer)
    })
  })
}

async function connectWithRetries(client) {
  title(1, 'Connect with retries')
  // With waitForReady, the call waits for a server that is still starting, up to the deadline. Without it, a refused
  // connection is UNAVAILABLE, and the call fails after a few quick retries. Use it for a program's first call, rarely
  // for a call that a user waits for. A call that is lost on the network is retried silently, as configured above.
  const metadata = new grpc.Metadata({ waitForReady: true })
  const { scenarios } = await call(client, 'ListScenarios', {}, { timeout: 30_000, metadata })
  line('held', scenarios.map((scenario) => scenario.name).join(', '))
}

async function evaluateAReferenceProposal(client) {
  title(2, 'Evaluate a reference proposal')
  const request = { proposalName: `${SCENARIO}/proposals/european-force` }
  const { evaluation } = await call(client, 'EvaluateProposal', request)
  line('verdict', evaluation.verdict)
  for (const { party, stance } of evaluation.stances) {
    // A party without a crossed red line has not consented: never print "agrees".
    if (stance !== 'STANCE_NO_STATED_OBJECTION') line(party, stance)
  }
  for (const finding of evaluation.findings) {
    // The basic view, which is the default, contains the crossed red lines and the undetermined ones, which depend on
    // what the proposal leaves open.
    if (finding.status !== 'RED_LINE_STATUS_CROSSED') continue
    line(short(finding.redLine), finding.firmness)
    // Each reason alone crosses the red line: to clear it, remove all of them.
    for (const reason of finding.reasons) line('  because', reason.text)
  }
}

async function evaluateAnOwnProposal(client) {
  title(3, "Evaluate a proposal of one's own")
  // Check the spelling here: the loader silently drops unknown fields and unknown enum values, so the server never
  // receives them.
  const request = {
    scenario: SCENARIO,
    // Issues without a term stay at the status quo.
    proposal: {
      terms: [
        { issue: 'ceasefire_scope', choice: 'all_fronts' },
        { issue: 'force_contributors', members: { values: ['china'] } },
        // A bracket: the draft leaves this issue open. The answer covers every way to settle it.
        { issue: 'force_mandate', anyOf: { values: ['none', 'un'] } },
        { issue: 'ceasefire_days', range: { min: 30, max: 90 } },
      ],
    },
    // What the caller assumes about a fact that no deal settles.
    circumstances: [{ issue: 'guarantors_willing', flag: true }],
    // A hypothesis holds for this call only. The server does not store it.
    hypotheses: [{ dropRedLine: 'ru-sanctions-lifted' }],
  }
  const { evaluation } = await call(client, 'EvaluateProposal', request)
  line('verdict', evaluation.verdict)
  // The verdict if everything that is open, brackets included, turns out for the worst.
  line('could become', evaluation.couldBecome)
  for (const supposition of evaluation.suppositions) line('supposed', supposition)
  for (const open of evaluation.unsettled) line('unsettled', `${open.input}: ${open.redLines.map(short).join(', ')}`)
}

async function listInPages(client) {
  title(4, 'List red lines in pages')
  const names = []
  let pages = 0
  let pageToken = ''
  let totalSize
  do {
    // Keep the other fields: a token is valid only for the same request.
    const request = { parent: SCENARIO, filter: { party: 'russia' }, pageSize: 5, pageToken }
    const page = await call(client, 'ListRedLines', request)
    pages += 1
    names.push(...page.redLines.map((redLine) => redLine.name))
    totalSize = page.totalSize
    pageToken = page.nextPageToken
    // Only an empty token marks the last page: any page may be shorter than asked for.
  } while (pageToken !== '')
  line('pages', pages)
  line('red lines', `${names.length} of ${totalSize}`)
  line('first', short(names[0]))
  expect(names.length === totalSize, 'all red lines were listed')
}

async function evaluateAStream(client) {
  title(5, 'Evaluate a stream of proposals')
  // For hundreds of drafts, one stream is much faster than hundreds of calls. The server stops reading while its
  // answers are unread. A client that writes all requests before it reads would block, and the server would reset its
  // call after a minute. Therefore the handler of answers is set first. The deadline is for the whole stream.
  const stream = client.StreamEvaluateProposals(new grpc.Metadata(), { deadline: Date.now() + 30_000 })
  const unanswered = new Map()
  const counts = new Map()
  stream.on('data', (answer) => {
    // Match answers to requests by the id that the caller chose, not by counting.
    const days = unanswered.get(answer.id)
    unanswered.delete(answer.id)
    if (answer.result === 'error') {
      // A faulty item fails alone, and the stream continues.
      line('item error', `${answer.id} (${days})`)
      printStatus(answer.error)
    } else {
      const { verdict } = answer.evaluation
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    }
  })
  // This promise also rejects on 'error'. A failed call emits 'error', and without a listener that ends the program.
  const ended = once(stream, 'end')
  await Promise.all([ended, send(stream, unanswered)])
  for (const [verdict, count] of [...counts].sort()) line('answers', `${count} ${verdict}`)
  // If the stream fails (the server shuts down, or received no request for a minute), send the unanswered requests in a
  // new stream. gRPC does not retry a stream after its first answer.
  line('unanswered', unanswered.size)
  expect(unanswered.size === 0, 'every request of the stream was answered')
}

async function send(stream, unanswered) {
  for (let days = 1; days <= 300; days += 1) {
    // This limit bounds the buffers, and the number of requests to send again if the stream breaks.
    while (unanswered.size >= 100) await once(stream, 'data')
    const id = `days-${days}`
    // One request is faulty: the option does not exist.
    const choice = days === 200 ? 'all_frnts' : 'all_fronts'
    const terms = [
      { issue: 'ceasefire_scope', choice },
      { issue: 'ceasefire_days', quantity: days },
    ]
    unanswered.set(id, days)
    // Back-pressure: write() returns false while the transport is full. Further writes would fill the memory.
    if (!stream.write({ id, request: { proposal: { terms } } })) await once(stream, 'drain')
  }
  stream.end()
}

async function readErrors(client) {
  title(6, 'Read errors')
  const faulty = {
    proposal: {
      terms: [
        { issue: 'sanctions', choice: 'lfit' },
        { issue: 'ceasefire_day', quantity: 30 },
      ],
    },
  }
  // The server's log contains this id: quote it when you ask about a call.
  const metadata = new grpc.Metadata()
  metadata.set('x-request-id', 'example-6')
  const error = await refused(call(client, 'EvaluateProposal', faulty, { metadata }))
  printError(error)
  line('request id', error.metadata.get('x-request-id')[0])
  const unknown = { name: `${SCENARIO}/proposals/european-forces` }
  printError(await refused(call(client, 'GetProposal', unknown)))
}

async function runOutOfTime(client) {
  title(7, 'Run out of time')
  const request = { proposalName: `${SCENARIO}/proposals/european-force` }
  // A negative timeout is a deadline that has passed.
  const error = await refused(call(client, 'EvaluateProposal', request, { timeout: -1_000 }))
  line('code', grpc.status[error.code])
  // Usually the client itself ends such a call, without google.rpc details, so rely on the code alone. The error says
  // nothing about the proposal. Retry with more time.
  line('details', statusOf(error) ? 'some' : 'none')
  expect(error.code === grpc.status.DEADLINE_EXCEEDED, 'the deadline passed')
}

async function pinARevision(client) {
  title(8, 'Pin a revision')
  const proposalName = `${SCENARIO}/proposals/jeddah-ceasefire`
  const first = (await call(client, 'EvaluateProposal', { proposalName })).evaluation
  // A revision is a hash of the scenario's content. Answers that you compare must come from one revision, even if the
  // server loads a new file between the calls.
  const pinned = { proposalName, clearedIssues: ['guarantee_talks'], revision: first.revision }
  const second = (await call(client, 'EvaluateProposal', pinned)).evaluation
  line('same revision', second.revision === first.revision ? 'yes' : 'no')
  expect(second.revision === first.revision, 'the revisions are equal')
  // FAILED_PRECONDITION: this server does not hold the revision, or no longer holds it. A retry fails again. Start over
  // with the first call, without the pin.
  const lost = { ...pinned, revision: '0'.repeat(32) }
  printError(await refused(call(client, 'EvaluateProposal', lost)))
}

// The google.rpc.Status of a failed call. Undefined for errors of the transport, which have only a code and a message.
function statusOf(error) {
  const [bytes] = error.metadata.get('grpc-status-details-bin')
  return bytes && schema['google.rpc.Status'].deserialize(bytes)
}

function printError(error) {
  line('code', grpc.status[error.code])
  const status = statusOf(error)
  expect(status !== undefined, "the service's errors have details")
  printStatus(status)
}

// Prints the google.rpc.Status of a failed call or of a failed item of a stream.
function printStatus(status) {
  for (const { type_url: typeUrl, value } of status.details) {
    const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
    if (type === 'google.rpc.ErrorInfo') {
      const info = schema[type].deserialize(value)
      // Programs should use the reason. Messages are for people and may change.
      line('reason', `${info.reason} of ${info.domain}`)
      if (info.metadata.nearest) line('nearest', info.metadata.nearest)
    } else if (type === 'google.rpc.BadRequest') {
      // All faults of the request, each with its field path.
      for (const { field, description } of schema[type].deserialize(value).fieldViolations) line(field, description)
    }
  }
}

async function refused(promise) {
  try {
    await promise
  } catch (error) {
    // Any other error is a fault of this program.
    if (error.metadata instanceof grpc.Metadata) return error
    throw error
  }
  throw new Error('expected an error, but the call was answered')
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected that ${what}`)
}

function short(name) {
  return name.slice(name.lastIndexOf('/') + 1)
}

function title(number, text) {
  console.log(`${number}. ${text}`)
}

function line(key, value) {
  console.log(`   ${key.padEnd(26)} ${value}`)
}

await main()
