import { perMode } from '../per-mode.ts'

export default perMode({
  name: 'round-trips',
  title: 'How many round trips per second, one after the other?',
  question: 'Raw TCP request and response in a closed loop: the next byte leaves when the last came back.',
  caption: 'Mean over blocks with its 95 % interval (the range, below five blocks). More is better.',
  order: 6,
  views: [{ test: 'rr', metric: 'throughput', label: 'round trips' }],
})
