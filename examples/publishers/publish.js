#!/usr/bin/env node
// Publishes one message as a JSON line: publish.js SOCKET CHANNEL DATA
'use strict';
const net = require('node:net');
const readline = require('node:readline');

function publish(path, channel, data) {
  return new Promise((resolve, reject) => {
    const control = net.connect(path);
    control.setTimeout(5000, () => control.destroy(new Error('timed out')));
    control.on('error', reject).on('close', () => reject(new Error('no answer')));
    control.write(JSON.stringify({ channel, data }) + '\n');
    readline.createInterface({ input: control }).on('error', reject).once('line', (line) => {
      control.end();
      const answer = JSON.parse(line);
      answer.error ? reject(new Error(answer.error)) : resolve(answer.id);
    });
  });
}

const [path, channel, data] = process.argv.slice(2);
const published = process.argv.length === 5
  ? publish(path, channel, data)
  : Promise.reject(new Error('usage: publish.js SOCKET CHANNEL DATA'));
published.then(console.log, (error) => {
  console.error('publish: ' + error.message);
  process.exitCode = 1;
});
