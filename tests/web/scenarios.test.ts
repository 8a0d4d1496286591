/** docs/vectors/scenarios.json, and a fresh random scenario of the Python client's, come out here as there. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { named, vector } from "./files.ts";
import { Core } from "./scenarios/core.ts";
import { type Scenario, replay } from "./scenarios/running.ts";

const { scenarios } = vector("scenarios") as { scenarios: Scenario[] };
let steps = 0;
let refusals = 0;

for (const scenario of scenarios) {
  test(`scenario: ${scenario.name}`, () => {
    const done = replay(new Core(), scenario);
    steps += done.steps;
    refusals += done.refusals;
  });
}

test("all steps were taken", (context) => {
  context.diagnostic(
    `${String(scenarios.length)} scenarios, ${String(steps)} steps, ${String(refusals)} refusals`,
  );
  assert.equal(
    steps,
    scenarios.reduce((sum, one) => sum + one.steps.length, 0),
  );
  assert.ok(refusals > 500);
});

const long = named("MESSENGER_LONG_SCENARIOS") as Scenario[] | undefined;
test("fresh random scenarios come out alike", { skip: long === undefined && "none were made" }, () => {
  for (const scenario of long ?? []) assert.ok(replay(new Core(), scenario).steps >= 1_000);
});
