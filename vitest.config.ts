import { defineConfig } from 'vitest/config'

/**
 * `unit`: pure parts and the pipeline on fakes, no root. `browser`: the page in Chromium. `netns`: real namespaces, root.
 * The projects run one after the other: a test that times real traffic must not share the cores with other files.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          sequence: { groupOrder: 0 },
          include: ['{harness,clusters,workloads,results,reports,setup}/**/*.test.ts'],
          exclude: ['**/*.netns.test.ts', '**/*.browser.test.ts'],
        },
      },
      {
        test: {
          name: 'netns',
          sequence: { groupOrder: 2 },
          include: ['**/*.netns.test.ts'],
          exclude: ['node_modules', '.cache', 'native/target'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'browser',
          sequence: { groupOrder: 1 },
          include: ['**/*.browser.test.ts'],
          exclude: ['node_modules', '.cache', 'native/target'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
