/**
 * Server-sent events out of pieces of text, however they are cut (WHATWG HTML, 9.2; the part of it that our
 * admin API sends: LF line ends, one `data` line).
 */
export interface ServerEvent {
  /** The place to resume from. */
  readonly id: string | null;
  /** `null`: only the place moved. */
  readonly data: string | null;
}

export async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let rest = '';
  for await (const piece of pieces) {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) yield { id: fieldOf(block, 'id'), data: fieldOf(block, 'data') };
  }
}

function fieldOf(block: string, name: string): string | null {
  const line = block.split('\n').find((one) => one.startsWith(`${name}:`));
  return line === undefined ? null : line.slice(name.length + 1).trimStart();
}
