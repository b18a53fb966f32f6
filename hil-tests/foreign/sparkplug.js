// Sparkplug payloads by the Eclipse Tahu project's own codec, one request a line, one line of JSON in return.
//
//   decode TOPIC HEX   the payload
//   encode JSON        {"hex": …}, of [{"name" or "alias", "type", "value"}, …], as a command
'use strict';
const readline = require('readline');
const codec = require('sparkplug-payload').get('spBv1.0');

const plain = (_key, value) => {
  if (value && typeof value === 'object' && typeof value.toNumber === 'function') return value.toNumber();
  return typeof value === 'bigint' ? Number(value) : value;
};
const answer = (line) => {
  const [verb, ...rest] = line.trim().split(' ');
  if (verb === 'decode') return codec.decodePayload(Buffer.from(rest[1], 'hex'));
  const timestamp = Date.now();
  const metrics = JSON.parse(rest.join(' ')).map((metric) => ({ timestamp, ...metric }));
  return { hex: Buffer.from(codec.encodePayload({ timestamp, metrics })).toString('hex') };
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(JSON.stringify(answer(line), plain) + '\n');
});
