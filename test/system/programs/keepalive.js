// An http server and its clients in another process, on connections that are kept alive: the clients
// check every answer, and the server that nobody connected anew.
'use strict';
const http = require('http');
const crypto = require('crypto');
const { fork } = require('child_process');

const CLIENTS = 4, REQUESTS = 500;
const digest = (text) => crypto.createHash('sha256').update(text).digest('hex');

function client(port) {
	const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
	let sum = 0, left = CLIENTS;
	function ask(name, number) {
		if (number > REQUESTS) {
			if (--left === 0) {
				agent.destroy();
				process.send(sum);
				process.disconnect();
			}
			return;
		}
		const body = `${name}:${number}:` + 'x'.repeat(number * 40);
		const request = http.request({ port, agent, host: '127.0.0.1', method: 'POST' }, (reply) => {
			let text = '';
			reply.on('data', (part) => { text += part; });
			reply.on('end', () => {
				if (text !== digest(body))
					throw new Error(`wrong answer to ${name}:${number}: ${text}`);
				sum += number;
				setTimeout(ask, 2, name, number + 1);
			});
		});
		request.on('error', (error) => { throw error; });
		request.end(body);
	}
	for (let i = 0; i < CLIENTS; i++)
		ask(i, 1);
}

function server() {
	let connections = 0, requests = 0;
	const listener = http.createServer({ keepAliveTimeout: 600000 }, (request, reply) => {
		let text = '';
		request.on('data', (part) => { text += part; });
		request.on('end', () => { requests++; reply.end(digest(text)); });
	});
	listener.on('connection', () => { connections++; });
	listener.listen(0, '127.0.0.1', () => {
		const child = fork(__filename, [String(listener.address().port)]);
		child.on('message', (sum) => console.log(`sum ${sum}, ${requests} requests`));
		child.on('exit', (code) => {
			console.log(`clients ended with ${code}, connections ${connections}`);
			listener.close();
			listener.closeAllConnections();
		});
	});
}

if (process.argv[2])
	client(Number(process.argv[2]));
else
	server();
