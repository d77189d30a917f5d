/** Rows to CSV text and back. Every record is one line, so that a cut file loses its last line and nothing else. */
import { parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import { type Column, type Row, type TableName, tables } from './columns.ts'

/** Rows as they are handed over: numbers may be null. */
export type AnyRow = Readonly<Record<string, string | number | boolean | null>>

const columnsOf = (table: TableName): readonly Column[] => tables[table].columns

/** First line of a file. */
export const headerText = (table: TableName): string => stringify([columnsOf(table).map((column) => column.name)])

const oneLine = (text: string): string => text.replaceAll(/\s*[\r\n]+\s*/g, ' | ')

/** Lines of a file. */
export function rowsText(table: TableName, rows: readonly AnyRow[]): string {
  return stringify(
    rows.map((row) =>
      columnsOf(table).map(({ name }) => {
        const value = row[name]
        if (value === null || value === undefined) return ''
        return typeof value === 'string' ? oneLine(value) : String(value)
      }),
    ),
  )
}

function cellValue(column: Column, text: string): string | number | boolean | null {
  if (column.type === 'text') return text
  if (column.type === 'boolean') return text === 'true'
  return text === '' ? null : Number(text)
}

/** Rows of a file; what stands after the last line end was cut and is dropped, as are lines that do not fit. */
export function parseRows<T extends TableName>(table: T, text: string): Row<T>[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const [names = [], ...records] = parse(whole, {
    relax_column_count: true,
    skip_records_with_error: true,
    bom: true,
  }) as string[][]
  const columns = columnsOf(table).map((column) => ({ column, index: names.indexOf(column.name) }))
  return records
    .filter((record) => record.length === names.length)
    .map(
      (record) =>
        Object.fromEntries(
          columns.map(({ column, index }) => [column.name, cellValue(column, record[index] ?? '')]),
        ) as Row<T>,
    )
}
