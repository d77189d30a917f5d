import { defineConfig } from 'vitest/config'

/** `unit`: pure parts and the pipeline on fakes, no root. `netns`: real namespaces, one file at a time, root. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{harness,clusters,workloads,results,reports,setup}/**/*.test.ts'],
          exclude: ['**/*.netns.test.ts', '**/*.browser.test.ts'],
        },
      },
      {
        test: {
          name: 'netns',
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
          include: ['**/*.browser.test.ts'],
          exclude: ['node_modules', '.cache', 'native/target'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
