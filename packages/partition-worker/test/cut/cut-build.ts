import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

/**
 * A cut build is the compiled code of core and of this package with every store into shared memory
 * turned into a call of cut-steps.ts, where the thread can be made to die. The product's own code
 * has no hooks.
 *
 * What is shared is told by name: a view of shared memory is called `words`, or `control` for a
 * worker's control words, `wordBytes` for a byte view of `words`, `to` or `target` for where a copy goes;
 * a private array is not. (One too many does no harm: dying there is as good as anywhere.)
 */
const SHARED_NAMES: ReadonlySet<string> = new Set([
  'words',
  'control',
  'wordBytes',
  'to',
  'target',
]);
const BULK_CALLS: ReadonlySet<string> = new Set(['set', 'fill', 'copyWithin']);
const ATOMIC_CALLS: Readonly<Record<string, string>> = {
  store: 'atomicStore',
  add: 'atomicAdd',
  exchange: 'atomicExchange',
  compareExchange: 'atomicCompareExchange',
};
const STEPS = '$cut';

const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const sources: Readonly<Record<string, string>> = {
  core: join(packageRoot, '..', 'core', 'dist'),
  worker: join(packageRoot, 'dist'),
};
const stepsFile = join(packageRoot, 'dist-test', 'cut', 'cut-steps.js');

/**
 * Writes a cut build to `dist-cut/<name>` (one name per test file: they run side by side). Returns
 * the URL of a module of it, say `worker/store/record-store.js`.
 */
export function buildCut(name: string): (module: string) => string {
  const target = join(packageRoot, 'dist-cut', name);
  rmSync(target, { recursive: true, force: true });
  for (const [folder, source] of Object.entries(sources)) {
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((path) => path.endsWith('.js'))) {
      const path = join(target, folder, file);
      const text = readFileSync(join(source, file), 'utf8');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, rewrite(text, path, target));
    }
  }
  return (module) => pathToFileURL(join(target, module)).href;
}

function rewrite(text: string, path: string, target: string): string {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const result = ts.transform(file, [transformer(path, target)]);
  const steps = importPath(path, stepsFile);
  const printed = ts.createPrinter().printFile(result.transformed[0] as ts.SourceFile);
  return `import * as ${STEPS} from '${steps}';\n${printed}`;
}

function transformer(path: string, target: string): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const visit = (node: ts.Node): ts.Node => {
      const inner = ts.visitEachChild(node, visit, context);
      if (ts.isStringLiteral(inner)) return rewriteImport(node, inner, path, target);
      if (ts.isBinaryExpression(inner)) return rewriteAssignment(inner);
      if (ts.isPrefixUnaryExpression(inner) || ts.isPostfixUnaryExpression(inner))
        return rewriteIncrement(inner);
      if (ts.isCallExpression(inner)) return rewriteCall(inner);
      return inner;
    };
    return (file) => ts.visitNode(file, visit, ts.isSourceFile);
  };
}

/** Core's modules are taken from the same cut build. */
function rewriteImport(
  node: ts.Node,
  literal: ts.StringLiteral,
  path: string,
  target: string,
): ts.Node {
  const { parent } = node;
  if (!ts.isImportDeclaration(parent) && !ts.isExportDeclaration(parent)) return literal;
  if (literal.text === '@tidewire/core')
    return ts.factory.createStringLiteral(importPath(path, join(target, 'core', 'index.js')));
  if (literal.text === '@tidewire/core/threads')
    return ts.factory.createStringLiteral(importPath(path, join(target, 'core', 'threads.js')));
  return literal;
}

function rewriteAssignment(node: ts.BinaryExpression): ts.Expression {
  const kind = node.operatorToken.kind;
  if (kind < ts.SyntaxKind.FirstAssignment || kind > ts.SyntaxKind.LastAssignment) return node;
  if (!isSharedElement(node.left)) return node;
  if (kind === ts.SyntaxKind.EqualsToken)
    return callStep('store', [node.left.expression, node.left.argumentExpression, node.right]);
  const operator = compoundOperators.get(kind);
  if (operator === undefined) throw new Error(`cannot cut this assignment: ${node.getText()}`);
  return updateStep(node.left, operator, node.right);
}

const compoundOperators: ReadonlyMap<ts.SyntaxKind, ts.BinaryOperator> = new Map([
  [ts.SyntaxKind.PlusEqualsToken, ts.SyntaxKind.PlusToken],
  [ts.SyntaxKind.MinusEqualsToken, ts.SyntaxKind.MinusToken],
  [ts.SyntaxKind.BarEqualsToken, ts.SyntaxKind.BarToken],
  [ts.SyntaxKind.AmpersandEqualsToken, ts.SyntaxKind.AmpersandToken],
  [ts.SyntaxKind.CaretEqualsToken, ts.SyntaxKind.CaretToken],
]);

function rewriteIncrement(
  node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression,
): ts.Expression {
  const { operator, operand } = node;
  if (!isSharedElement(operand)) return node;
  const one = ts.factory.createNumericLiteral(1);
  if (operator === ts.SyntaxKind.PlusPlusToken)
    return updateStep(operand, ts.SyntaxKind.PlusToken, one);
  if (operator === ts.SyntaxKind.MinusMinusToken)
    return updateStep(operand, ts.SyntaxKind.MinusToken, one);
  return node;
}

function rewriteCall(node: ts.CallExpression): ts.Expression {
  if (!ts.isPropertyAccessExpression(node.expression)) return node;
  const { expression: object, name } = node.expression;
  if (ts.isIdentifier(object) && object.text === 'Atomics') {
    const step = ATOMIC_CALLS[name.text];
    return step === undefined ? node : callStep(step, [...node.arguments]);
  }
  if (!BULK_CALLS.has(name.text) || !isShared(object)) return node;
  return callStep(name.text, [object, ...node.arguments]);
}

function isSharedElement(node: ts.Expression): node is ts.ElementAccessExpression {
  return ts.isElementAccessExpression(node) && isShared(node.expression);
}

function isShared(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return SHARED_NAMES.has(node.text);
  return ts.isPropertyAccessExpression(node) && SHARED_NAMES.has(node.name.text.replace('#', ''));
}

function updateStep(
  target: ts.ElementAccessExpression,
  operator: ts.BinaryOperator,
  operand: ts.Expression,
): ts.Expression {
  const value = ts.factory.createIdentifier('$value');
  const change = ts.factory.createArrowFunction(
    undefined,
    undefined,
    [ts.factory.createParameterDeclaration(undefined, undefined, value)],
    undefined,
    undefined,
    ts.factory.createBinaryExpression(value, operator, operand),
  );
  return callStep('update', [target.expression, target.argumentExpression, change]);
}

function callStep(name: string, args: ts.Expression[]): ts.Expression {
  const steps = ts.factory.createIdentifier(STEPS);
  return ts.factory.createCallExpression(
    ts.factory.createPropertyAccessExpression(steps, name),
    undefined,
    args,
  );
}

function importPath(from: string, to: string): string {
  const path = relative(dirname(from), to).replaceAll('\\', '/');
  return path.startsWith('.') ? path : `./${path}`;
}
