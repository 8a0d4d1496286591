/** Asking anew as things happen: never twice at a time, once for all that happened meanwhile, and after a failure, too. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { spaced } from "../../../messenger/web/client/src/ui/state/spaced.ts";

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test("what happens while it is asked is asked for once more, after a pause", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const answers: (() => void)[] = [];
  const happened = spaced(
    () =>
      new Promise((resolve) => {
        answers.push(resolve);
      }),
  );
  for (let count = 0; count < 3; count += 1) happened();
  assert.equal(answers.length, 1);
  answers[0]?.();
  await turn();
  assert.equal(answers.length, 1);
  mock.timers.tick(500);
  await turn();
  assert.equal(answers.length, 2);
  answers[1]?.();
  await turn();
  mock.timers.tick(500);
  await turn();
  assert.equal(answers.length, 2);
  mock.timers.reset();
});

test("after a failure the next thing that happens asks again, also where something happened meanwhile", async () => {
  let asked = 0;
  let fail = (): void => undefined;
  const happened = spaced(() => {
    asked += 1;
    return new Promise((_, reject) => {
      fail = () => {
        reject(new Error("away"));
      };
    });
  });
  happened();
  happened();
  fail();
  await turn();
  happened();
  assert.equal(asked, 2);
});
