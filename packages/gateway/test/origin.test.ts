import t from 'tap';
import { originRule } from '#lib/transport/origin.js';

t.test(
  'TRANS-20: without a list pages of this machine may connect, else those listed',
  async (t) => {
    const local = originRule(undefined);
    for (const origin of ['http://localhost:5173', 'https://127.0.0.1', 'http://[::1]:80'])
      t.ok(local(origin), origin);
    for (const origin of [
      'https://example.org',
      'null',
      '',
      'http://localhost.example.org',
      'file://',
    ])
      t.notOk(local(origin), origin);
    const listed = originRule(['https://a.example', 'null']);
    t.ok(listed('https://a.example'));
    t.ok(listed('null'));
    for (const origin of ['http://a.example', 'https://a.example:8443', 'http://localhost'])
      t.notOk(listed(origin), origin);
    t.ok(originRule(['*'])('https://anything.example'));
  },
);
