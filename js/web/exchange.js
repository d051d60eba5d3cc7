// SPDX-License-Identifier: Apache-2.0
// A request and its answer, as the glue carries them: under a number, in
// pieces, each way with a window (README.md). Nothing in here knows of redirects
// or encodings.

import { native } from '../native.js';

const WINDOW = 256 << 10; // bytes on their way that nobody has asked for yet
const PIECE = 64 << 10;
// An answer that turns out to be large gets as much room as there may be: then
// egress need not wait for us.
const LARGE = 1 << 20;
const ROOM_MAX = 1 << 20;

/** What the glue answers: wire and reasons are its own (way.h). */
const SAID = 0;
const LATER = 1;
const REFUSALS = {
  __proto__: null,
  2: 'NO_EGRESS',
  3: 'NO_CALL',
  4: 'INTERNAL',
  5: 'BAD',
};

let last = 0; // numbers are used once in a cell
let open = new Map(); // by number
let later = new Set(); // those that were told LATER
let isRehearsal = false; // nothing is said

// Looked at from elsewhere, so that where nothing is fetched no function of this
// file is called: in a fresh cell each would be a page to copy.
/** Whether anything was fetched since the last call began. */
export let isUsed = false;
/** Whether there is a way out, once there is a call; undefined: not asked yet. */
export let isGranted;

/** Why there is no answer: `code` is the end's name, `message` the sentence. */
export class Failure {
  constructor(code, message) {
    this.code = code;
    this.message = message;
  }
}

export class Exchange {
  #number = ++last;
  #text; // "METHOD\0URL\0name\0value\0…", until it was said
  #onHead;
  #onFailure;
  // the request's body
  #source; // null, bytes or a stream's reader
  #piece = null; // bytes that are being sent
  #at = 0;
  #room = WINDOW;
  #isReading = false;
  #isSent = false; // its end, too
  // the answer's body
  #held = []; // pieces that nobody has read yet
  #taken = 0; // bytes that were read, and egress does not know
  #total = 0; // all that were
  #window = WINDOW;
  #wanted = null; // {resolve, reject} of the one who reads
  #isComplete = false;
  #failure = undefined; // {reason}: what every reader is told

  /**
   * `body`: null, a Uint8Array (borrowed) or a stream's reader. Once, and
   * before start() returns at the earliest: onHead(status, [name, value, …]),
   * or onFailure(a Failure, or what the body's stream threw).
   */
  constructor(text, body, onHead, onFailure) {
    this.#text = text;
    this.#source = body;
    if (body instanceof Uint8Array) {
      this.#piece = body;
      this.#source = null;
    }
    this.#onHead = onHead;
    this.#onFailure = onFailure;
  }

  start() {
    isUsed = true;
    const hasBody = this.#piece !== null || this.#source !== null;
    const said = isRehearsal ? SAID :
      native.fetchStart(this.#number, hasBody, this.#text);
    if (said === LATER) {
      later.add(this);
      return;
    }
    if (said !== SAID) {
      this.#fail(new Failure(REFUSALS[said], undefined));
      return;
    }
    this.#text = null;
    open.set(this.#number, this);
    this.#isSent = !hasBody;
    this.#send();
  }

  /** What was told LATER is tried again. */
  retry() {
    if (this.#text !== null)
      this.start();
    else
      this.#send();
  }

  // ---- the request's body

  #send() {
    while (this.#piece !== null && open.has(this.#number)) {
      if (this.#at === this.#piece.length) {
        this.#piece = null;
        break;
      }
      const end = Math.min(this.#piece.length, this.#at + PIECE,
          this.#at + this.#room);
      if (end === this.#at)
        return; // room() goes on
      const said = native.fetchBody(this.#number,
          this.#piece.subarray(this.#at, end));
      if (said === LATER) {
        later.add(this);
        return;
      }
      this.#room -= end - this.#at;
      this.#at = end;
    }
    if (this.#isSent || !open.has(this.#number))
      return;
    if (this.#source !== null) {
      if (!this.#isReading)
        this.#read();
      return;
    }
    this.#isSent = true;
    native.fetchBody(this.#number, null);
  }

  #read() {
    this.#isReading = true;
    this.#source.read().then(({ done, value }) => {
      this.#isReading = false;
      if (done) {
        this.#source = null;
      } else if (native.isUint8Array(value)) {
        this.#piece = value.slice();
        this.#at = 0;
      } else {
        throw new TypeError('fetch: the body\'s stream gave a chunk that is ' +
            'not a Uint8Array');
      }
      this.#send();
    }).catch((error) => this.#abandon(error));
  }

  /** Nobody will send the rest. */
  #dropSource(reason) {
    const source = this.#source;
    this.#source = this.#piece = null;
    source?.cancel(reason).then(undefined, () => {});
  }

  #abandon(reason) {
    this.#source = null;
    this.cancel(reason);
  }

  // ---- the answer's body

  /** The next piece; null: there is no more. One at a time. */
  read() {
    return new Promise((resolve, reject) => {
      const piece = this.#held.shift();
      if (piece !== undefined) {
        this.#take(piece.length);
        resolve(piece);
      } else if (this.#failure !== undefined) {
        reject(this.#failure.reason);
      } else if (this.#isComplete) {
        resolve(null);
      } else {
        this.#wanted = { resolve, reject };
      }
    });
  }

  #take(length) {
    this.#taken += length;
    this.#total += length;
    if (this.#total >= LARGE && this.#window < ROOM_MAX) {
      this.#taken += ROOM_MAX - this.#window;
      this.#window = ROOM_MAX;
    }
    // Less waits for more.
    if (this.#taken < this.#window / 4 || !open.has(this.#number))
      return;
    native.fetchRoom(this.#number, this.#taken);
    this.#taken = 0;
  }

  /** It is over: `reason` is thrown to whoever reads, or will. */
  cancel(reason) {
    if (this.#isComplete && this.#held.length === 0)
      return;
    this.#close();
    this.#fail(reason);
  }

  /** It is over, and nobody is told. */
  leave() {
    this.#close();
    this.#dropSource(undefined);
  }

  #close() {
    later.delete(this);
    if (open.delete(this.#number))
      native.fetchCancel(this.#number);
    this.#held = [];
  }

  #fail(reason) {
    if (this.#failure !== undefined)
      return;
    this.#failure = { reason };
    this.#dropSource(reason);
    this.#onFailure(reason);
    this.#wanted?.reject(reason);
    this.#wanted = null;
  }

  // ---- what egress says

  head(status, list) { this.#onHead(status, list); }

  data(bytes) {
    if (this.#wanted === null) {
      this.#held.push(bytes);
      return;
    }
    const { resolve } = this.#wanted;
    this.#wanted = null;
    this.#take(bytes.length);
    resolve(bytes);
  }

  end() {
    open.delete(this.#number);
    this.#isComplete = true;
    this.#dropSource(undefined);
    this.#wanted?.resolve(null);
    this.#wanted = null;
  }

  fail(failure) {
    open.delete(this.#number);
    this.#fail(failure);
  }

  room(bytes) {
    this.#room += bytes;
    this.#send();
  }
}

export function fetchHead(number, status, parts) {
  const list = [];
  for (let i = 1; i < parts.length; i += 2)
    list.push(parts[i].toLowerCase(), parts[i + 1]);
  open.get(number)?.head(status, list);
}

export function fetchData(number, code, bytes) {
  open.get(number)?.data(bytes);
}

export function fetchEnd(number) {
  open.get(number)?.end();
}

export function fetchFail(number, code, text) {
  open.get(number)?.fail(new Failure(native.fetchEndName(code), text));
}

export function fetchRoom(number, bytes) {
  open.get(number)?.room(bytes);
}

/** There is room for those that were told LATER. */
export function fetchMore() {
  const all = later;
  later = new Set();
  for (const exchange of all)
    exchange.retry();
}

const NO_CALL = 3;
export function askGranted() {
  isGranted ??= native.fetchStart(0, false, '') === NO_CALL;
}

/** `ask()` makes one exchange, at once, that goes nowhere and is answered so. */
export function rehearse(ask, parts, bytes) {
  isRehearsal = true;
  try {
    ask();
  } finally {
    isRehearsal = false;
  }
  fetchHead(last, 200, parts);
  fetchData(last, 0, bytes);
  fetchEnd(last);
}

/** A call begins: nothing of the one before is under way. */
export function resetFetches() {
  isUsed = false;
  for (const number of open.keys())
    native.fetchCancel(number);
  open = new Map();
  later = new Set();
}
