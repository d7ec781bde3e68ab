import t from 'tap';
import { eachOf, type Few, fewHas, fewSize, fewWith, fewWithout } from '#lib/few.js';

t.test('CONN-27: few things are none, one or several, and one again', async (t) => {
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  let few: Few<{ name: string }>;
  t.same([fewSize(few), eachOf(few), fewHas(few, a)], [0, [], false]);
  t.equal(fewWithout(few, a), undefined);
  few = fewWith(few, a);
  t.equal(few, a, 'one is itself');
  t.equal(fewWithout(few, b), a, 'what it has not is not taken');
  few = fewWith(fewWith(few, b), c);
  t.same([fewSize(few), fewHas(few, b), fewHas(few, { name: 'b' })], [3, true, false]);
  t.same(eachOf(few), [a, b, c], 'in the order of their coming');
  few = fewWithout(fewWithout(few, a), c);
  t.equal(few, b, 'one is itself again');
  t.equal(fewWithout(few, b), undefined);
});
