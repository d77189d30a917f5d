/**
 * Undo, registered at the moment of doing. Disposal runs in reverse order, runs every step even if one fails, and
 * reports all failures together. (Node 20 has Symbol.asyncDispose but no AsyncDisposableStack.)
 */
export class Scope implements AsyncDisposable {
  readonly name: string
  #undo: { readonly what: string; readonly run: () => unknown }[] = []
  #closing: Promise<void> | undefined

  constructor(name: string) {
    this.name = name
  }

  /** Registers `run` to be called when the scope ends; `what` names it in errors. */
  defer(what: string, run: () => unknown): void {
    if (this.#closing) throw new Error(`scope ${this.name} has ended; cannot register: ${what}`)
    this.#undo.push({ what, run })
  }

  /** A scope that ends with this one, or earlier on its own. */
  child(name: string): Scope {
    const child = new Scope(`${this.name}/${name}`)
    this.defer(child.name, () => child.close())
    return child
  }

  close(): Promise<void> {
    this.#closing ??= this.#run()
    return this.#closing
  }

  async #run(): Promise<void> {
    const failures: Error[] = []
    for (const { what, run } of this.#undo.reverse()) {
      try {
        await run()
      } catch (cause) {
        failures.push(
          new Error(`undoing «${what}» failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }),
        )
      }
    }
    this.#undo = []
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} undo steps of ${this.name} failed`)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
