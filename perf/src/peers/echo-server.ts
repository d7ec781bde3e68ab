/** Entry of the echo server: raw uWebSockets.js that sends back every message. */
import uWS from 'uWebSockets.js';

const app = uWS.App();
app.ws('/*', {
  maxBackpressure: 64 * 1024 * 1024,
  message: (socket, message, isBinary) => {
    socket.send(message, isBinary);
  },
});
app.listen('127.0.0.1', 0, (listening) => {
  if (!listening) throw new Error('the echo server cannot listen');
  console.log(`echo ready ${uWS.us_socket_local_port(listening)}`);
});
process.on('SIGTERM', () => process.exit(0));
