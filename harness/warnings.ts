/** Warnings are values with a remedy: printed in one place (harness/progress.ts), stored in the manifest. */
export type Warning =
  | { readonly code: 'few-cores'; readonly cores: number }
  | { readonly code: 'noisy-host'; readonly detail: string }
  | { readonly code: 'cell-unsupported'; readonly driver: string; readonly cell: string; readonly because: string }
  | { readonly code: 'leftovers-removed'; readonly what: readonly string[] }
  | { readonly code: 'undo-failed'; readonly detail: string }
  | { readonly code: 'report-failed'; readonly detail: string }

/** The sentence and the remedy for each warning. */
export function describeWarning(warning: Warning): { readonly message: string; readonly remedy: string } {
  switch (warning.code) {
    case 'few-cores':
      return {
        message: `only ${warning.cores} CPUs: client, proxies and server contend`,
        remedy: 'read ratios, not absolute figures',
      }
    case 'noisy-host':
      return {
        message: `the host is busy: ${warning.detail}`,
        remedy: 'stop other work, or accept that shots may be void',
      }
    case 'cell-unsupported':
      return {
        message: `${warning.driver} cannot fire ${warning.cell}: ${warning.because}`,
        remedy: 'use --driver native',
      }
    case 'leftovers-removed':
      return { message: `removed what a dead run left: ${warning.what.join(', ')}`, remedy: 'nothing to do' }
    case 'undo-failed':
      return { message: `cleaning up failed: ${warning.detail}`, remedy: 'npm run clean' }
    case 'report-failed':
      return { message: `the report could not be written: ${warning.detail}`, remedy: 'npm run report -- RUN' }
  }
}
