// SPDX-License-Identifier: Apache-2.0
// FormData as bytes and back: RFC 7578 and urlencoded.

import { native } from '../native.js';
import { File, bytesOfBlob } from './blob.js';
import { binaryString } from './base64.js';
import { concatBytes, textOf } from './bytes.js';
import { FormData } from './formdata.js';
import { parseQuery } from './searchparams.js';

const CRLF = '\r\n';

const escapeName = (name) => name.replace(/\r\n|\r|\n/g, CRLF)
  .replace(/[\r\n"]/g, (c) => ({ '\r': '%0D', '\n': '%0A', '"': '%22' })[c]);

function boundaryOf() {
  const random = new Uint8Array(16);
  native.random(random);
  return `----cordon${random.toHex()}`;
}

/** A form as `[bytes, content type]`. */
export function encodeForm(form) {
  const boundary = boundaryOf();
  const pieces = [];
  const add = (text) => pieces.push(native.utf8Encode(text));
  for (const [name, value] of form) {
    const head = `--${boundary}${CRLF}Content-Disposition: form-data; ` +
        `name="${escapeName(name)}"`;
    if (typeof value === 'string') {
      add(head + CRLF + CRLF + value.replace(/\r\n|\r|\n/g, CRLF) + CRLF);
    } else {
      add(`${head}; filename="${escapeName(value.name)}"${CRLF}Content-Type: ${
        value.type === '' ? 'application/octet-stream' : value.type}` +
          CRLF + CRLF);
      pieces.push(bytesOfBlob(value));
      add(CRLF);
    }
  }
  add(`--${boundary}--${CRLF}`);
  return [concatBytes(pieces), `multipart/form-data; boundary=${boundary}`];
}

/** The form in bytes of a content type; throws TypeError if it is none. */
export function decodeForm(bytes, type) {
  const essence = type.split(';', 1)[0].trim().toLowerCase();
  if (essence === 'application/x-www-form-urlencoded') {
    const form = new FormData();
    for (const [name, value] of parseQuery(textOf(bytes)))
      form.append(name, value);
    return form;
  }
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
  if (essence !== 'multipart/form-data' || boundary === null) {
    throw new TypeError('formData: the content type is neither ' +
        'multipart/form-data with a boundary nor urlencoded');
  }
  return parseMultipart(bytes, boundary[1] ?? boundary[2]);
}

const malformed = (what) =>
  new TypeError(`formData: malformed multipart body: ${what}`);

/** Splits on the delimiter; one character a byte, so that indexes agree. */
function parseMultipart(bytes, boundary) {
  const form = new FormData();
  const body = `${CRLF}${binaryString(bytes)}`;
  const delimiter = `${CRLF}--${boundary}`;
  let at = body.indexOf(delimiter);
  if (at < 0)
    throw malformed('its boundary does not occur');
  for (;;) {
    at += delimiter.length;
    if (body.startsWith('--', at))
      return form;
    const start = body.indexOf(CRLF, at);
    const next = body.indexOf(delimiter, at);
    if (start < 0 || next < 0)
      throw malformed('it ends inside a part');
    addPart(form, body, start + 2, next, bytes);
    at = next;
  }
}

function addPart(form, body, start, end, bytes) {
  const split = body.startsWith(CRLF, start) ? start :
    body.indexOf(CRLF + CRLF, start);
  if (split < 0 || split > end)
    throw malformed('a part has no end of its headers');
  const headers = partHeaders(body.slice(start, split));
  const from = body.startsWith(CRLF, start) ? start + 2 : split + 4;
  const content = bytes.slice(from - 2, Math.max(from, end) - 2);
  const name = parameter(headers['content-disposition'], 'name');
  if (name === undefined)
    throw malformed('a part has no name');
  const filename = parameter(headers['content-disposition'], 'filename');
  if (filename === undefined)
    form.append(name, textOf(content));
  else
    form.append(name, new File([content], filename,
        { type: headers['content-type'] ?? 'text/plain' }));
}

function partHeaders(text) {
  const headers = { __proto__: null };
  for (const line of text.split(CRLF)) {
    const colon = line.indexOf(':');
    if (colon > 0)
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return headers;
}

function parameter(header, name) {
  const found = new RegExp(`;\\s*${name}="([^"]*)"`, 'i').exec(header ?? '');
  if (found === null)
    return undefined;
  const bytes = Uint8Array.from(found[1], (c) => c.charCodeAt(0));
  return native.utf8Decode(bytes, false)
    .replace(/%(0A|0D|22)/gi, (_, hex) =>
      String.fromCharCode(parseInt(hex, 16)));
}
