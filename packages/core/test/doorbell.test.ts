import t from 'tap';
import { Doorbell } from '#lib/ring/doorbell.js';

/** The doorbell's steps, each of them one access to shared memory. */
interface State {
  word: 'awake' | 'asleep';
  work: boolean;
  sleeper: 'announce' | 'look' | 'wait' | 'blocked' | 'awake';
  ringer: 'publish' | 'load' | 'exchange' | 'notify' | 'done';
}
type Rules = 'as built' | 'looks before it announces' | 'rings before it publishes';

function sleeperStep(state: State, rules: Rules): State | undefined {
  const early = rules === 'looks before it announces';
  switch (state.sleeper) {
    case 'announce':
      return { ...state, word: 'asleep', sleeper: early ? 'wait' : 'look' };
    case 'look':
      if (state.work) return { ...state, sleeper: 'awake' };
      return { ...state, sleeper: early ? 'announce' : 'wait' };
    case 'wait': // waits only if the word is still as announced; atomic by definition
      return { ...state, sleeper: state.word === 'asleep' ? 'blocked' : 'awake' };
    default:
      return undefined;
  }
}

function ringerStep(state: State, rules: Rules): State | undefined {
  const early = rules === 'rings before it publishes';
  switch (state.ringer) {
    case 'publish':
      return { ...state, work: true, ringer: early ? 'done' : 'load' };
    case 'load': {
      const silent = early ? 'publish' : 'done';
      return { ...state, ringer: state.word === 'asleep' ? 'exchange' : silent };
    }
    case 'exchange':
      return { ...state, word: 'awake', ringer: 'notify' };
    case 'notify': {
      const sleeper = state.sleeper === 'blocked' ? 'awake' : state.sleeper;
      return { ...state, sleeper, ringer: early ? 'publish' : 'done' };
    }
    default:
      return undefined;
  }
}

/** Ends in which the sleeper is blocked although there is work and nobody will ring. */
function lostWakeups(state: State, rules: Rules): State[] {
  const next = [sleeperStep(state, rules), ringerStep(state, rules)].filter((s) => s !== undefined);
  if (next.length > 0) return next.flatMap((s) => lostWakeups(s, rules));
  return state.sleeper === 'blocked' && state.work ? [state] : [];
}

const begin = (rules: Rules): State => ({
  word: 'awake',
  work: false,
  sleeper: rules === 'looks before it announces' ? 'look' : 'announce',
  ringer: rules === 'rings before it publishes' ? 'load' : 'publish',
});

t.test('RING-7: in no interleaving does the sleeper miss work', async (t) => {
  t.same(lostWakeups(begin('as built'), 'as built'), []);
});

t.test('RING-7: each half of the order is needed', async (t) => {
  for (const rules of ['looks before it announces', 'rings before it publishes'] as const)
    t.not(lostWakeups(begin(rules), rules).length, 0, rules);
});

const words = (): Int32Array => new Int32Array(new SharedArrayBuffer(16));

t.test('RING-7: a ring between the last look and the wait ends the sleep', async (t) => {
  const bell = new Doorbell(words(), 1);
  const ringLate = (): boolean => {
    bell.ring();
    return false;
  };
  bell.sleep(ringLate, Number.POSITIVE_INFINITY);
  await bell.sleepAsync(ringLate, Number.POSITIVE_INFINITY);
  t.pass('it returned');
});

t.test('RING-7: work found at the last look means no sleep', async (t) => {
  const bell = new Doorbell(words(), 1);
  bell.sleep(() => true, Number.POSITIVE_INFINITY);
  await bell.sleepAsync(() => true, Number.POSITIVE_INFINITY);
  t.pass('it returned');
});

t.test('RING-7: a sleeper with an event loop is woken by whoever rings', async (t) => {
  const shared = words();
  const sleeping = new Doorbell(shared, 1).sleepAsync(() => false, Number.POSITIVE_INFINITY);
  new Doorbell(shared, 1).ring();
  await sleeping;
  t.equal(shared[1], 0, 'the word says awake again');
});
