// Lets the fuzzer's binary load where glibc is older than 2.38: `node --require scripts/old-glibc.cjs`.
//
// The binary of @jazzer.js/fuzzer was built against glibc 2.38 and GCC 13. It needs three symbols of theirs, and
// none of them for what they do: strtol and strtoul under names that also read C23's `0b`, and a marker that
// nobody calls. A copy is changed to use the old names, and loaded in its place; nothing in node_modules changes.
const { readFileSync, writeFileSync, mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const TOO_NEW = new Set(['GLIBC_2.38', 'GLIBCXX_3.4.32']);
const OLD = 'GLIBC_2.2.5';
const C23 = '__isoc23_';
const SECTION = { DYNSYM: 11, VERNEED: 0x6ffffffe, VERSYM: 0x6fffffff };
const SYMBOL_BYTES = 24;
const WEAK_VERSION = 2;
const WEAK_SYMBOL = 0x20;
const UNVERSIONED = 1;

const dlopen = process.dlopen;
process.dlopen = function (module, path, ...more) {
  try {
    return dlopen.call(this, module, path, ...more);
  } catch (error) {
    if (!/fuzzer-linux-x64\.node$/.test(path) || !/GLIBC/.test(error.message)) throw error;
    const folder = mkdtempSync(join(tmpdir(), 'tidewire-fuzzer-'));
    const copy = join(folder, 'fuzzer.node');
    writeFileSync(copy, forOldGlibc(readFileSync(path)));
    const result = dlopen.call(this, module, copy, ...more);
    rmSync(folder, { recursive: true }); // it stays mapped
    return result;
  }
};

/** Changes an ELF library (64 bits, little endian) in place. */
function forOldGlibc(elf) {
  const sections = sectionsOf(elf);
  const symbols = sections.find(({ type }) => type === SECTION.DYNSYM);
  const versions = sections.find(({ type }) => type === SECTION.VERSYM);
  const needs = sections.find(({ type }) => type === SECTION.VERNEED);
  const strings = sections[symbols.link].offset;
  const text = (at) => elf.toString('latin1', strings + at, elf.indexOf(0, strings + at));
  const { old, tooNew } = relaxNeeds(elf, needs, text);
  for (let i = 0; i < symbols.size / SYMBOL_BYTES; i++) {
    const version = versions.offset + 2 * i;
    if (!tooNew.has(elf.readUInt16LE(version))) continue;
    const symbol = symbols.offset + SYMBOL_BYTES * i;
    const name = elf.readUInt32LE(symbol);
    if (text(name).startsWith(C23)) {
      elf.writeUInt32LE(name + C23.length, symbol); // the old name is the end of the new one
      elf.writeUInt16LE(old, version);
    } else {
      elf[symbol + 4] = WEAK_SYMBOL | (elf[symbol + 4] & 0xf);
      elf.writeUInt16LE(UNVERSIONED, version);
    }
  }
  return elf;
}

function sectionsOf(elf) {
  const start = Number(elf.readBigUInt64LE(40));
  return Array.from({ length: elf.readUInt16LE(60) }, (_, i) => {
    const at = start + elf.readUInt16LE(58) * i;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
      link: elf.readUInt32LE(at + 40),
    };
  });
}

/** Makes the needs that are too new optional; returns their numbers, and that of the oldest glibc. */
function relaxNeeds(elf, needs, text) {
  const tooNew = new Set();
  let old = 0;
  for (let need = needs.offset, next = -1; next !== 0; need += next) {
    const count = elf.readUInt16LE(need + 2);
    for (let i = 0, at = need + elf.readUInt32LE(need + 8); i < count; i++) {
      const name = text(elf.readUInt32LE(at + 8));
      const number = elf.readUInt16LE(at + 6);
      if (name === OLD) old = number;
      if (TOO_NEW.has(name)) {
        tooNew.add(number);
        elf.writeUInt16LE(WEAK_VERSION, at + 4);
      }
      at += elf.readUInt32LE(at + 12);
    }
    next = elf.readUInt32LE(need + 12);
  }
  return { old, tooNew };
}
