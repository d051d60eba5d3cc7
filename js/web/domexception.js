// SPDX-License-Identifier: Apache-2.0

const CODES = {
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4,
  InvalidCharacterError: 5, NoModificationAllowedError: 7, NotFoundError: 8,
  NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11,
  SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14,
  InvalidAccessError: 15, TypeMismatchError: 17, SecurityError: 18,
  NetworkError: 19, AbortError: 20, URLMismatchError: 21,
  QuotaExceededError: 22, TimeoutError: 23, InvalidNodeTypeError: 24,
  DataCloneError: 25,
};

export class DOMException extends Error {
  #name = 'Error';
  #message = '';

  constructor(message = '', options = 'Error') {
    super();
    this.#message = `${message}`;
    if (options !== null && typeof options === 'object') {
      this.#name = `${options.name ?? 'Error'}`;
      if ('cause' in options) {
        Object.defineProperty(this, 'cause', {
          value: options.cause, writable: true, configurable: true,
        });
      }
    } else {
      this.#name = `${options}`;
    }
  }

  get name() {
    return #name in this ? this.#name : 'Error';
  }

  get message() {
    return #message in this ? this.#message : '';
  }

  get code() {
    return Object.hasOwn(CODES, this.name) ? CODES[this.name] : 0;
  }
}

for (const [name, value] of Object.entries(CODES)) {
  const constant = name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()
    .replace(/_ERROR$/, '_ERR');
  for (const owner of [DOMException, DOMException.prototype])
    Object.defineProperty(owner, constant, { value, enumerable: true });
}
