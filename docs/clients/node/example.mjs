// A client of Détente: eight things that every client needs, each in a function of its own.
//
// Start a server, then: node example.mjs [HOST:PORT]

import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import grpc from '@grpc/grpc-js'
import protoLoader from '@grpc/proto-loader'

// The schema is read at run time: nothing to generate. Names in camelCase, enums by name, lists never undefined, and
// for each oneof a property that says which of its fields is set. int64 as numbers: a quantity beyond 2^53 would need
// `longs: String`.
const schema = protoLoader.loadSync(['detente/v1/red_line_service.proto', 'google/rpc/error_details.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
  defaults: true,
  enums: String,
  longs: Number,
  oneofs: true,
})
const { RedLineService } = grpc.loadPackageDefinition(schema).detente.v1

const SCENARIO = 'scenarios/ukraine-2025'

// Without a deadline a call waits for ever on a server that hangs. Evaluations take microseconds: two seconds are for
// the network.
const TIMEOUT = 2_000

// Retries are safe: every method only reads, so asking twice does no more than asking once. UNAVAILABLE says that
// nobody has answered, or that the server is about to end; the other codes would come again. round_robin spreads calls
// over all addresses of the name, the default stays with the first that answers.
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
  // One client for the whole program: opening its connections is what takes time, and calls share them.
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

// One call, as a promise.
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
  // waitForReady: a server that is still starting is waited for, up to the deadline; without it a refused connection
  // counts as UNAVAILABLE, and a few quick retries are all that it gets. Right for a program's first call, seldom for
  // one of a user's. A call that is lost on its way is retried without a word, as configured above.
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
    // Not "agrees": that no recorded red line is crossed is not consent.
    if (stance !== 'STANCE_NO_STATED_OBJECTION') line(party, stance)
  }
  for (const finding of evaluation.findings) {
    // The basic view has crossed and undetermined lines.
    if (finding.status !== 'RED_LINE_STATUS_CROSSED') continue
    line(short(finding.redLine), finding.firmness)
    // Each reason alone suffices: to mend the proposal, undo all of them.
    for (const reason of finding.reasons) line('  because', reason.text)
  }
}

async function evaluateAnOwnProposal(client) {
  title(3, "Evaluate a proposal of one's own")
  // Beware of slips here: the loader drops a field that the schema doesn't have, and a value that an enum doesn't have,
  // without a word, and the server then sees neither.
  const request = {
    scenario: SCENARIO,
    // What no term speaks of stands at the status quo.
    proposal: {
      terms: [
        { issue: 'ceasefire_scope', choice: 'all_fronts' },
        { issue: 'force_contributors', members: { values: ['china'] } },
        // Brackets: the draft leaves this open. The answer holds for every way in which it may be settled.
        { issue: 'force_mandate', anyOf: { values: ['none', 'un'] } },
        { issue: 'ceasefire_days', range: { min: 30, max: 90 } },
      ],
    },
    // A fact that no deal settles, as the caller takes it to be.
    circumstances: [{ issue: 'guarantors_willing', flag: true }],
    // A "what if" for this call only: nothing of it is kept.
    hypotheses: [{ dropRedLine: 'ru-sanctions-lifted' }],
  }
  const { evaluation } = await call(client, 'EvaluateProposal', request)
  line('verdict', evaluation.verdict)
  // The verdict if all that is open goes wrong, the brackets among it.
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
    // The other fields stay as they were: a token fits no other question.
    const request = { parent: SCENARIO, filter: { party: 'russia' }, pageSize: 5, pageToken }
    const page = await call(client, 'ListRedLines', request)
    pages += 1
    names.push(...page.redLines.map((redLine) => redLine.name))
    totalSize = page.totalSize
    pageToken = page.nextPageToken
    // An empty token is the only sign of the end: a page may be shorter than asked for.
  } while (pageToken !== '')
  line('pages', pages)
  line('red lines', `${names.length} of ${totalSize}`)
  line('first', short(names[0]))
  expect(names.length === totalSize, 'all red lines were listed')
}

async function evaluateAStream(client) {
  title(5, 'Evaluate a stream of proposals')
  // For hundreds of drafts one stream is much faster than hundreds of calls. The server reads no further while its
  // answers are not read, so who writes everything first and reads then gets stuck, and is cut off after a minute: here
  // the handler of answers comes first. The deadline is the whole stream's.
  const stream = client.StreamEvaluateProposals(new grpc.Metadata(), { deadline: Date.now() + 30_000 })
  const unanswered = new Map()
  const counts = new Map()
  stream.on('data', (answer) => {
    // By id, which is the caller's to choose: not by counting.
    const days = unanswered.get(answer.id)
    unanswered.delete(answer.id)
    if (answer.result === 'error') {
      // One faulty item fails alone, the stream goes on.
      line('item error', `${answer.id} (${days})`)
      printStatus(answer.error)
    } else {
      const { verdict } = answer.evaluation
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    }
  })
  // Rejects on 'error', which every failed call emits: without a listener that would end the program.
  const ended = once(stream, 'end')
  await Promise.all([ended, send(stream, unanswered)])
  for (const [verdict, count] of [...counts].sort()) line('answers', `${count} ${verdict}`)
  // After an error (the server ends, or had nothing to read for a minute) these would be what to send in a new stream.
  // Retries don't do that: they end with the first answer.
  line('unanswered', unanswered.size)
  expect(unanswered.size === 0, 'every request of the stream was answered')
}

async function send(stream, unanswered) {
  for (let days = 1; days <= 300; days += 1) {
    // A bound on unanswered requests keeps small what is buffered, and what is to be sent again if the stream breaks.
    while (unanswered.size >= 100) await once(stream, 'data')
    const id = `days-${days}`
    // One of them has a fault: there is no such option.
    const choice = days === 200 ? 'all_frnts' : 'all_fronts'
    const terms = [
      { issue: 'ceasefire_scope', choice },
      { issue: 'ceasefire_days', quantity: days },
    ]
    unanswered.set(id, days)
    // Back-pressure: false says that the transport takes no more for now. Who writes on regardless fills the memory.
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
  // The log of the server has the same id: quote it when you ask about a call.
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
  // What a caller has left whose own deadline has passed.
  const error = await refused(call(client, 'EvaluateProposal', request, { timeout: -1_000 }))
  line('code', grpc.status[error.code])
  // It mostly ends here, in the client, which has no google.rpc details to show: go by the code alone. It says nothing
  // of the proposal; ask again with more time.
  line('details', statusOf(error) ? 'some' : 'none')
  expect(error.code === grpc.status.DEADLINE_EXCEEDED, 'the deadline passed')
}

async function pinARevision(client) {
  title(8, 'Pin a revision')
  const proposalName = `${SCENARIO}/proposals/jeddah-ceasefire`
  const first = (await call(client, 'EvaluateProposal', { proposalName })).evaluation
  // A revision is a hash of all that the scenario says. Answers that are to be compared must be of one revision, also
  // if the server gets another file meanwhile.
  const pinned = { proposalName, clearedIssues: ['guarantee_talks'], revision: first.revision }
  const second = (await call(client, 'EvaluateProposal', pinned)).evaluation
  line('same revision', second.revision === first.revision ? 'yes' : 'no')
  expect(second.revision === first.revision, 'the pin holds')
  // FAILED_PRECONDITION: this server doesn't hold that revision (any more). A retry won't help: start again without the
  // pin, and from the first question.
  const lost = { ...pinned, revision: '0'.repeat(32) }
  printError(await refused(call(client, 'EvaluateProposal', lost)))
}

// The google.rpc.Status of a failed call; undefined for errors of the transport, which have a code and a text only.
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

// google.rpc.Status, of a failed call and of a failed item of a stream alike.
function printStatus(status) {
  for (const { type_url: typeUrl, value } of status.details) {
    const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
    if (type === 'google.rpc.ErrorInfo') {
      const info = schema[type].deserialize(value)
      // What programs should go by. Messages are for people, and may change.
      line('reason', `${info.reason} of ${info.domain}`)
      if (info.metadata.nearest) line('nearest', info.metadata.nearest)
    } else if (type === 'google.rpc.BadRequest') {
      // All faults at once, with paths as in the request.
      for (const { field, description } of schema[type].deserialize(value).fieldViolations) line(field, description)
    }
  }
}

async function refused(promise) {
  try {
    await promise
  } catch (error) {
    // Other errors are faults of this program.
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
