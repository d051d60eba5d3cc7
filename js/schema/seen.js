// SPDX-License-Identifier: Apache-2.0
// Which members and items of a value some keyword has looked at: what
// unevaluatedProperties and unevaluatedItems leave to themselves. Kept only
// where one of them asks.

export class Seen {
  allMembers = false;
  members = new Set();
  upTo = 0; // every item before this one
  items = new Set();

  addAll(other) {
    this.allMembers ||= other.allMembers;
    for (const name of other.members)
      this.members.add(name);
    if (other.upTo > this.upTo)
      this.upTo = other.upTo;
    for (const index of other.items)
      this.items.add(index);
  }

  hasMember(name) {
    return this.allMembers || this.members.has(name);
  }

  hasItem(index) {
    return index < this.upTo || this.items.has(index);
  }
}
