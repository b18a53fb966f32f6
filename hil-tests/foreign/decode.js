// Decodes Sparkplug payloads with the Eclipse Tahu project's own codec: one hex payload a line in, one JSON a line out.
'use strict';
const readline = require('readline');
const codec = require('sparkplug-payload').get('spBv1.0');

const plain = (_key, value) => {
  if (value && typeof value === 'object' && typeof value.toNumber === 'function') return value.toNumber();
  return typeof value === 'bigint' ? Number(value) : value;
};
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const payload = codec.decodePayload(Buffer.from(line.trim(), 'hex'));
  process.stdout.write(JSON.stringify(payload, plain) + '\n');
});
