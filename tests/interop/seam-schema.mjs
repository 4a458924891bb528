// Print Seam's published OpenAPI description as JSON, for the examination of requests: without the answers (those of
// the fake are its own affair), and with request bodies that have no fields but those described.
import { openapi } from "@seamapi/types/connect"

for (const operations of Object.values(openapi.paths)) {
  for (const operation of Object.values(operations)) {
    operation.responses = { default: { description: "not examined" } }
    const body = operation.requestBody?.content?.["application/json"]?.schema
    if (body?.type === "object") body.additionalProperties = false
  }
}
process.stdout.write(JSON.stringify(openapi))
