import { perMode } from '../per-mode.ts'

export default perMode({
  name: 'connection-rate',
  title: 'How many new connections per second?',
  question: 'Connect, one request, one answer, close; closed loop.',
  caption:
    'Set-up of a connection is where redirection, handshakes and tunnels cost most. Mean over blocks with its 95 % interval (the range, below five blocks). More is better.',
  order: 7,
  views: [{ test: 'crr', metric: 'connections_per_second', label: 'new connections' }],
})
