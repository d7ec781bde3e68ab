// Loaded before a server (`node --import`): uWebSockets is not to be found, as where it has no binary.
import { register } from 'node:module';

const HOOK = `export async function resolve(specifier, context, next) {
  if (specifier === 'uWebSockets.js') throw new Error('no binary');
  return next(specifier, context);
}`;

register(`data:text/javascript,${encodeURIComponent(HOOK)}`);
