import cliProgress from 'cli-progress';

/** What runs at the moment: a bar on a terminal, lines elsewhere. */
export class Progress {
  readonly #bar: cliProgress.SingleBar | undefined;
  #id = '';

  /** `steps`: scenarios to run. */
  constructor(steps: number, stream: NodeJS.WriteStream = process.stderr) {
    if (!stream.isTTY) return;
    const format = '{bar} {value}/{total} {id} {text}';
    this.#bar = new cliProgress.SingleBar({
      format,
      stream,
      hideCursor: true,
      clearOnComplete: true,
    });
    this.#bar.start(steps, 0, { id: '', text: '' });
  }

  begin(id: string): void {
    this.#id = id;
    this.say('begins');
  }

  say(text: string): void {
    if (this.#bar === undefined) process.stderr.write(`${this.#id}: ${text}\n`);
    else this.#bar.update({ id: this.#id, text });
  }

  end(): void {
    this.#bar?.increment();
  }

  stop(): void {
    this.#bar?.stop();
  }
}
