import { perMode } from '../per-mode.ts'

export default perMode({
  name: 'stream',
  title: 'How much data per second?',
  question: 'One direction at a time: up from client to server, down from server to client; what arrived counts.',
  caption: 'Mean over blocks with its 95 % interval (the range, below five blocks). More is better.',
  order: 8,
  views: [
    { test: 'stream', metric: 'stream_up', label: 'up' },
    { test: 'stream', metric: 'stream_down', label: 'down' },
  ],
})
