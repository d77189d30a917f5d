import { perMode } from '../per-mode.ts'

export default perMode({
  name: 'capacity',
  title: 'How many requests per second at most?',
  question: 'Closed loop: the next request goes out when the answer is there, on every connection at once.',
  caption: 'Each mark is the mean over blocks with its 95 % interval (the range, below five blocks). More is better.',
  order: 4,
  views: [{ test: 'capacity', metric: 'throughput', label: 'capacity' }],
})
