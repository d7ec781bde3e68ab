import { Session } from 'node:inspector';

export interface Answer {
  readonly id?: number;
  readonly result?: { readonly profile?: unknown };
  readonly error?: { readonly message: string };
}

/** Asks the inspectors of this process: of its main thread, and through it of its worker threads. */
export class ThreadInspector {
  readonly #session: Session = new Session();
  readonly #workers: Map<string, string> = new Map();
  readonly #waiting: Map<number, (answer: Answer) => void> = new Map();
  #calls = 0;

  constructor() {
    this.#session.on('NodeWorker.attachedToWorker', ({ params }) => {
      this.#workers.set(params.sessionId, `thread-${params.workerInfo.workerId}`);
    });
    this.#session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const answer = JSON.parse(params.message) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  /** Call first, and once. */
  async connect(): Promise<void> {
    this.#session.connect();
    await this.#askMain('NodeWorker.enable', { waitForDebuggerOnStart: false });
  }

  /** The answer of each thread, by its name. */
  async askAll(method: string, params: object = {}): Promise<[string, Answer][]> {
    const main = this.#askMain(method, params).then((answer): [string, Answer] => ['main', answer]);
    const others = [...this.#workers].map(
      async ([session, name]): Promise<[string, Answer]> => [
        name,
        await this.#askWorker(session, method, params),
      ],
    );
    return await Promise.all([main, ...others]);
  }

  #askMain(method: string, params: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) => {
        if (error === null) resolve({ result: result as Answer['result'] & object });
        else reject(error);
      });
    });
  }

  #askWorker(sessionId: string, method: string, params: object): Promise<Answer> {
    const id = ++this.#calls;
    const message = JSON.stringify({ id, method, params });
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (answer) => {
        this.#waiting.delete(id);
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error.message));
      });
      this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    });
  }
}
