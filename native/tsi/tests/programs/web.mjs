/** web.mjs serve PORT, or web.mjs get URL. */
import { createServer, get } from 'node:http'

const [, , what, where] = process.argv
if (what === 'serve') {
  const server = createServer(({ socket }, answer) => answer.end(`${socket.remoteAddress} to ${socket.localAddress}\n`))
  server.listen(Number(where), () => process.stdout.write('ready\n'))
} else {
  get(where ?? '', (answer) => answer.pipe(process.stdout))
}
