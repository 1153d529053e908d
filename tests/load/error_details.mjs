// The client in Node.js of error_details.py: makes calls with @grpc/grpc-js, and prints how each failed.
//
// The argument is the folder with the package. Standard input is a JSON list of calls. Requests and responses are not
// decoded here.

import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

const CALL_MS = 10_000

const grpc = createRequire(`${process.argv[2]}/`)('@grpc/grpc-js')

function outcome({ target, certificate, name, method, request }) {
  const credentials = certificate
    ? grpc.credentials.createSsl(Buffer.from(certificate))
    : grpc.credentials.createInsecure()
  const options = { 'grpc.enable_http_proxy': 0, 'grpc.enable_retries': 0 }
  if (certificate) options['grpc.ssl_target_name_override'] = name
  const client = new grpc.Client(target, credentials, options)
  const same = (bytes) => bytes
  return new Promise((resolve) => {
    const deadline = { deadline: Date.now() + CALL_MS }
    client.makeUnaryRequest(method, same, same, Buffer.from(request, 'base64'), deadline, (error) => {
      client.close()
      const [details] = error?.metadata.get('grpc-status-details-bin') ?? []
      resolve({
        code: error?.code ?? 0,
        message: error?.details ?? '',
        details: (details ?? Buffer.alloc(0)).toString('base64'),
      })
    })
  })
}

const outcomes = []
for (const call of JSON.parse(await text(process.stdin))) outcomes.push(await outcome(call))
console.log(JSON.stringify(outcomes))
