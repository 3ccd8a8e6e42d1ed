// The page of the demonstration: asks the three targets, follows the clock, keeps the guest book.
// No library, nothing from elsewhere. A window that is hidden lets go of its two open requests,
// because a browser has only six connections to one server for all its windows.

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function make(name, text, className) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function say(text, up) {
  const state = $('#state');
  state.textContent = text;
  state.className = `pill ${up ? 'up' : 'down'}`;
}

// --- Three kinds of target ---

const SHOWN = ['server', 'content-type', 'content-length', 'etag', 'last-modified', 'location'];

async function ask(card, how) {
  const options = {cache: 'no-store', headers: {}};
  if (how === 'changed' && card.dataset.etag) options.headers['If-None-Match'] = card.dataset.etag;
  if (how === 'post') {
    options.method = 'POST';
    options.body = 'x'.repeat(1000);
  }
  const begin = performance.now();
  let answer, body;
  try {
    answer = await fetch(card.dataset.path, options);
    body = await answer.text();
  } catch (error) {
    show(card, [['error', String(error), 'status']], '');
    say('no answer', false);
    return;
  }
  const ms = performance.now() - begin;
  if (answer.headers.get('etag')) card.dataset.etag = answer.headers.get('etag');
  const rows = [
    ['asked', `${options.method ?? 'GET'} ${card.dataset.path}`],
    ['status', `${answer.status} ${answer.statusText}`, 'status'],
    ['time', `${ms.toFixed(1)} ms`],
  ];
  for (const name of SHOWN) {
    if (answer.headers.get(name)) rows.push([name, answer.headers.get(name)]);
  }
  show(card, rows, answer.status === 304 ? 'Not changed: no body was sent.' : body);
  say(`up, ${ms.toFixed(0)} ms`, true);
}

function show(card, rows, body) {
  const list = $('dl', card);
  list.replaceChildren();
  for (const [name, value, className] of rows) {
    const cell = make('dd', value, className);
    cell.title = value;
    list.append(make('dt', name), cell);
  }
  $('pre', card).textContent = body;
}

for (const card of $$('.targets .card')) {
  for (const button of $$('[data-ask]', card)) {
    button.addEventListener('click', () => ask(card, button.dataset.ask));
  }
  ask(card);
}

// --- One message, all browsers: a chunked answer that goes on ---

const clock = {card: $('#clock'), stream: null};
const ticks = $('.ticks', clock.card);
for (let i = 0; i < 30; i++) ticks.append(make('i'));

async function watch() {
  stopWatching();
  const stream = clock.stream = new AbortController();
  $('button', clock.card).textContent = 'Stop';
  let tick = 0, why = 'The handler ended the stream after a minute.';
  try {
    const answer = await fetch('/app/clock', {signal: stream.signal, cache: 'no-store'});
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const [time, count] = part.value.trim().split('\n').pop().split(' ');
      $('.time', clock.card).textContent = time;
      $('.note', clock.card).textContent = count === '1' ? 'one browser watches'
                                                         : `${count} browsers watch`;
      $$('i', ticks).forEach((bar, i) => bar.classList.toggle('on', i === tick % 30));
      tick++;
    }
  } catch (error) {
    why = stream.signal.aborted ? 'stopped' : 'The stream broke.';
  }
  if (clock.stream !== stream) return;  // another one has begun meanwhile
  clock.stream = null;
  $('button', clock.card).textContent = 'Watch';
  $('.note', clock.card).textContent = why;
}

function stopWatching() {
  clock.stream?.abort();
}

$('button', clock.card).addEventListener('click', () => clock.stream ? stopWatching() : watch());

// --- A guest book that waits: a long poll ---

// next: the number of the last note that is known; null: ask for all of them, without waiting.
const book = {card: $('#book'), next: null, poll: null};

async function keepReading() {
  if (book.poll) return;
  const poll = book.poll = new AbortController();
  while (!poll.signal.aborted) {
    try {
      const path = book.next === null ? '/app/book' : `/app/book?after=${book.next}`;
      const answer = await fetch(path, {signal: poll.signal, cache: 'no-store'});
      if (!answer.ok) throw new Error(answer.status);
      const page = await answer.json();
      if (book.next === null || page.next < book.next) $('ol', book.card).replaceChildren();
      page.notes.forEach(addNote);
      book.next = page.next;
    } catch (error) {
      if (!poll.signal.aborted) {
        say('no answer', false);
        await sleep(2000);
      }
    }
  }
}

function addNote(note) {
  const line = make('li');
  line.append(make('b', note.name), make('span', note.text), make('time', note.at));
  const list = $('ol', book.card);
  list.append(line);
  list.scrollTop = list.scrollHeight;
}

function stopReading() {
  book.poll?.abort();
  book.poll = null;
}

$('form', book.card).addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  const note = {name: form.elements.name.value, text: form.elements.text.value};
  const line = $('.note', book.card);
  try {
    const answer = await fetch('/app/book', {method: 'POST', body: JSON.stringify(note)});
    const {reached, error} = await answer.json();
    line.textContent = error ?? (reached === 1 ? 'One waiting browser was answered.'
                                               : `${reached} waiting browsers were answered.`);
    if (!error) form.elements.text.value = '';
  } catch (error) {
    line.textContent = 'It could not be sent.';
  }
});

// --- How long does each take? ---

const RUNS = 200, AT_ONCE = 4;

async function measure(path) {
  const times = [];
  let left = RUNS;
  async function runner() {
    while (left-- > 0) {
      const begin = performance.now();
      await (await fetch(path, {cache: 'no-store'})).arrayBuffer();
      times.push(performance.now() - begin);
    }
  }
  await Promise.all(Array.from({length: AT_ONCE}, runner));
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(part * (times.length - 1))];
  return {low: at(0.05), middle: at(0.5), high: at(0.95)};
}

$('#race button').addEventListener('click', async (event) => {
  const button = event.target, bars = $('#race .bars'), note = $('#race .note');
  button.disabled = true;
  note.textContent = 'Measuring.';
  // Its two open requests would be in the way.
  stopWatching();
  stopReading();
  try {
    const results = [];
    for (const card of $$('.targets .card')) {
      results.push([$('h2 span', card).textContent, card.className, await measure(card.dataset.path)]);
    }
    drawBars(bars, results);
    note.textContent = `${RUNS} requests each, ${AT_ONCE} at a time.`;
  } catch (error) {
    note.textContent = `It could not be measured: ${error}`;
  }
  button.disabled = false;
  resume();
});

function drawBars(bars, results) {
  const most = Math.max(...results.map(([, , times]) => times.high));
  const percent = (ms) => `${(100 * ms / most).toFixed(2)}%`;
  bars.replaceChildren();
  for (const [name, className, times] of results) {
    const track = make('div', undefined, `track ${className}`);
    track.classList.remove('card');
    track.style.setProperty('--tone', `var(--${name.toLowerCase()})`);
    const spread = make('div', undefined, 'spread'), middle = make('div', undefined, 'middle');
    spread.style.left = percent(times.low);
    spread.style.right = percent(most - times.high);
    middle.style.left = percent(times.middle);
    track.append(spread, middle);
    bars.append(make('span', name), track, make('output', `${times.middle.toFixed(2)} ms`));
  }
}

// --- Begin, and let go while nobody looks ---

function resume() {
  if (document.hidden) return;
  if (!clock.stream) watch();
  keepReading();
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    stopWatching();
    stopReading();
  } else {
    resume();
  }
});
resume();
