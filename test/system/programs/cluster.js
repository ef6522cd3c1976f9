// A cluster: two workers that share a listener of the primary, a child that is given connections over
// its channel (descriptors in messages), a watched folder, clients that check every answer.
'use strict';
const cluster = require('cluster');
const fs = require('fs');
const net = require('net');
const { fork } = require('child_process');

const LINES = 250, CLIENTS = 3;

// Answers line by line; the child is handed its connections paused.
function answer(socket, who) {
	let rest = '';
	socket.on('data', (data) => {
		const lines = (rest + data).split('\n');
		rest = lines.pop();
		for (const line of lines)
			socket.write(`${who} ${line}\n`);
	});
	socket.resume();
}

function client(port, who, done) {
	const socket = net.connect(port, '127.0.0.1');
	let number = 0, rest = '';
	const ask = () => socket.write(`${++number}\n`);
	socket.on('connect', ask);
	socket.on('data', (data) => {
		rest += data;
		if (!rest.endsWith('\n'))
			return;
		if (rest !== `${who} ${number}\n`)
			throw new Error(`wrong answer to ${number}: ${rest}`);
		rest = '';
		if (number < LINES)
			setTimeout(ask, 4);
		else
			socket.end(() => done(number));
	});
	socket.on('error', (error) => { throw error; });
}

function primary() {
	const child = fork(__filename, ['child']);
	const seen = new Set();
	let sum = 0, left = 2 * CLIENTS, acknowledged = 0, made = 0, ports = 0;
	fs.mkdirSync('watched');
	const watcher = fs.watch('watched', (_, name) => { seen.add(name); });
	const maker = setInterval(() => fs.writeFileSync(`watched/${made++}`, ''), 50);
	const done = (number) => {
		sum += number;
		if (--left)
			return;
		clearInterval(maker);
		const wait = setInterval(() => {
			if (seen.size < made)
				return;
			clearInterval(wait);
			watcher.close();
			listener.close();
			child.disconnect();
			cluster.disconnect();
			console.log(`sum ${sum}, connections given ${acknowledged}, all files seen`);
		}, 10);
	};
	const start = (port, who) => {
		for (let i = 0; i < CLIENTS; i++)
			client(port, who, done);
	};
	const listener = net.createServer({ pauseOnConnect: true }, (s) => child.send('connection', s));
	listener.listen(0, '127.0.0.1', () => start(listener.address().port, 'child'));
	child.on('message', () => { acknowledged++; });
	for (let i = 0; i < 2; i++)
		cluster.fork().on('message', (port) => {
			if (++ports === 2)
				start(port, 'worker');
		});
}

if (process.argv[2] === 'child') {
	process.on('message', (_, socket) => {
		answer(socket, 'child');
		process.send('taken');
	});
} else if (cluster.isPrimary) {
	primary();
} else {
	const server = net.createServer((socket) => answer(socket, 'worker'));
	server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}
