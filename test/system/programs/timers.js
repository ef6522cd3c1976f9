// Timers of several periods, a worker that answers messages, and a file written asynchronously.
// The output depends on the order of nothing but each timer's own ticks.
const { Worker } = require('worker_threads');
const { createHash } = require('crypto');
const fs = require('fs');

const TICKS = 60;
const worker = new Worker(`
	const { parentPort } = require('worker_threads');
	const { createHash } = require('crypto');
	let seen = 0;
	parentPort.on('message', (n) => {
		let text = 'seed' + n;
		for (let i = 0; i < 2000; i++)
			text = createHash('sha256').update(text).digest('hex');
		parentPort.postMessage({ n, seen: ++seen, text });
	});
`, { eval: true });
const answers = [];
const done = { fast: 0, slow: 0, files: 0 };

worker.on('message', (m) => {
	answers.push(`${m.n} ${m.seen} ${m.text}`);
	if (answers.length === TICKS)
		worker.terminate();
});
const fast = setInterval(() => {
	if (++done.fast <= TICKS)
		worker.postMessage(done.fast);
	else
		clearInterval(fast);
}, 40);
const slow = setInterval(() => {
	const n = ++done.slow;	// a file each: writes of two ticks may overlap
	fs.promises.writeFile('tick' + n, String(n)).then(() => {
		done.files += Number(fs.readFileSync('tick' + n, 'utf8') === String(n));
	});
	if (done.slow === 15)
		clearInterval(slow);
}, 150);
process.on('exit', (status) => {
	const digest = createHash('sha256').update(answers.join('\n')).digest('hex');
	console.log(status, answers.length, done.slow, done.files, digest);
});
