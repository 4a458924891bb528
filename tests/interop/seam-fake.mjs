// Seam's own fake on 127.0.0.1:PORT, empty, and a second port (CONTROL) for what its API cannot do:
// POST /<method of the fake's database> with the arguments as a JSON list; POST /state tells all it holds.
import http from "node:http"
import { randomUUID } from "node:crypto"
import { createFake } from "@seamapi/fake-seam-connect"

const loopback = "127.0.0.1"
const listen = http.Server.prototype.listen
http.Server.prototype.listen = function (...given) {
  // The fake names no host: it would listen on every interface.
  const isPort = Number.isInteger(given[0]) && typeof given[1] !== "string"
  return listen.apply(this, isPort ? [given[0], loopback, ...given.slice(1)] : given)
}

const fake = await createFake()
const store = fake.database
store.setState({ _getNextId: () => randomUUID() }) // ids as Seam's description has them; the fake counts

const control = http.createServer(async (request, response) => {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  try {
    const name = request.url.slice(1)
    const given = JSON.parse(Buffer.concat(pieces).toString() || "[]")
    const answer = name === "state" ? store.getState() : store[name](...given)
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer ?? null))
  } catch (error) {
    response.writeHead(400).end(String(error))
  }
})
control.listen(Number(process.env.CONTROL), loopback)
await fake.startServer({ port: Number(process.env.PORT) })
