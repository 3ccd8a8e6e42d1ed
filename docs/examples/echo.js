// A handler in Node.js: answers every request with its path. npm install zeromq@6
//   node echo.js SEND_SPEC RECV_SPEC
const zmq = require('zeromq')

const [requestsAt, repliesAt] = process.argv.slice(2)
const replies = new zmq.Publisher({ sendHighWaterMark: 100000 })
replies.connect(repliesAt) // the way back first: PUB drops what nobody hears yet
const requests = new zmq.Pull()
requests.connect(requestsAt)

function netstring(bytes) {
  const colon = bytes.indexOf(':')
  const end = colon + 1 + Number(bytes.subarray(0, colon))
  return [bytes.subarray(colon + 1, end), bytes.subarray(end + 1)]
}

function parse(message) {
  const words = []
  let rest = message
  for (let i = 0; i < 3; i++) {
    const space = rest.indexOf(' ')
    words.push(rest.subarray(0, space).toString())
    rest = rest.subarray(space + 1)
  }
  const [block, more] = netstring(rest)
  const [body] = netstring(more)
  const [sender, id, path] = words
  return { sender, id, path, headers: JSON.parse(block), body }
}

async function main() {
  for await (const [message] of requests) {
    const { sender, id, path, headers, body } = parse(message)
    if (path === '@*') continue // a notice of the server: a browser has gone
    const text = `Node: ${headers.METHOD} ${path}, ${body.length} bytes\n`
    const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
    await replies.send(`${sender} ${id.length}:${id}, ${answer}`)
  }
}
main()
