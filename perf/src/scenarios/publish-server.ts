/**
 * Entry of P5's peer: raw uWebSockets.js that speaks just enough of `tidewire.v1` to answer puts and
 * publish their events, those of one turn as one frame, and keeps, checks and orders nothing.
 */
import uWS from 'uWebSockets.js';
import { PublishFrames, requestOf, SUBSCRIBED, WELCOME } from './publish-frames.js';

const TOPIC = 'bench';
const frames = new PublishFrames(Number(process.argv[2]));
let isDue = false;

const app = uWS.App();
app.ws('/*', {
  maxBackpressure: 64 * 1024 * 1024,
  message: (socket, message) => {
    const bytes = new Uint8Array(message);
    const request = requestOf(bytes);
    if (request === 'put') {
      socket.send(frames.resultOf(bytes), true);
      onPut(bytes);
    } else if (request === 'subscribe') {
      socket.subscribe(TOPIC);
      socket.send(SUBSCRIBED, true);
    } else socket.send(WELCOME, true);
  },
});
app.listen('127.0.0.1', 0, (listening) => {
  if (!listening) throw new Error('the publishing server cannot listen');
  console.log(`publish ready ${uWS.us_socket_local_port(listening)}`);
});
process.on('SIGTERM', () => process.exit(0));

function onPut(message: Uint8Array): void {
  if (!frames.hasRoom) publish();
  frames.append(message);
  if (isDue) return;
  isDue = true;
  setImmediate(() => {
    isDue = false;
    publish();
  });
}

function publish(): void {
  const frame = frames.take();
  if (frame !== undefined) app.publish(TOPIC, frame, true);
}
