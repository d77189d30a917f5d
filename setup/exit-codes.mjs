/** The exit codes set-up uses itself; the whole table is in harness/errors.ts (not loadable before npm ci has run). */
export const exitCodes = { failed: 3, usage: 64, missing: 69, internal: 70, interrupted: 130 }
