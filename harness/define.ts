/** Identity functions that give a plug-in its type where it is written: one default export per file. */
import type { Chart, Check, Collector, Driver } from './contracts.ts'

export const defineDriver = (driver: Driver): Driver => driver
export const defineCollector = (collector: Collector): Collector => collector
export const defineCheck = (check: Check): Check => check
export const defineChart = <Run>(chart: Chart<Run>): Chart<Run> => chart
