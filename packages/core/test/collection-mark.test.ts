import t from 'tap';
import { readCollectionMarks, writeCollectionMarks } from '#lib/memory/collection-mark.js';
import * as RecordLayout from '#lib/memory/record-layout.js';
import * as WorkerControl from '#lib/memory/worker-control.js';

const { CONTROL_WORDS, GC_MARKS } = WorkerControl;

t.test('LIFE-1: the marks of a proposal come back as written and touch nothing behind', (t) => {
  const control = new Int32Array(CONTROL_WORDS + 1);
  control[CONTROL_WORDS] = 7;
  const marks = Array.from({ length: 271 }, (_, partition) => ({
    partition,
    sequence: 2 ** 47 + partition,
    ms: 2 ** 46 + 2 ** 31 + partition,
    counter: 65_535 - partition,
    node: 0xffffff - partition,
  }));
  writeCollectionMarks(control, marks);
  t.same(readCollectionMarks(control), marks);
  t.equal(control[CONTROL_WORDS], 7);
  t.equal(control[GC_MARKS - 1], 0, 'nor before');
  writeCollectionMarks(control, marks.slice(3, 4));
  t.same(readCollectionMarks(control), marks.slice(3, 4));
  t.end();
});

t.test('LIFE-2: the mark of presence lies beside the value kind and is stored with it', (t) => {
  const words = new Int32Array(8);
  words[RecordLayout.NODE_FLAGS] = (0xabc123 << 8) | RecordLayout.FLAG_PRESENCE | (2 << 2) | 2;
  t.ok(RecordLayout.isPresence(words, 0));
  t.equal(RecordLayout.valueKindOf(words, 0), 2);
  t.equal(RecordLayout.storedKindOf(words, 0), 2 + RecordLayout.KIND_PRESENCE);
  t.equal(RecordLayout.KIND_PRESENCE, 32);
  t.end();
});
